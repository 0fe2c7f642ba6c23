"""Takes from the settings what the tasks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.tasks.passes import PASS_LASTS
from consumer.tasks.terms import TaskOptions
from consumer.vendor.questions import Question

if TYPE_CHECKING:
    from consumer.settings import Settings


_ASKED_BY_SYMBOL = (Question.RANGE_BARS, Question.TICKER_DETAILS)
MOST_SYMBOLS = 100
# Of a part's deadline: what all the parts that run together may need for their requests, and how long one may ask.
PLANNED_SHARE, ASKING_SHARE = 1 / 3, 2 / 3


def part_batch(settings: Settings, endpoint: Question) -> int:
    """Symbols a part: as many as the budget lets through in about a minute, so that a crash repeats little.

    All parts that run together draw on one budget, and must end in time: a third of the deadline, since the parts of
    other processes are not known here. What they take in excess is committed in pieces (TaskOptions.ask_for).
    """
    per_minute = requests_per_minute(settings, endpoint)
    if per_minute is None:
        return MOST_SYMBOLS
    minutes = PLANNED_SHARE * settings.part_timeout.total_seconds() / 60
    in_time = per_minute * minutes / (settings.workers * settings.parts_at_once)
    return max(1, int(min(MOST_SYMBOLS, max(5.0, per_minute), in_time)))


def requests_per_minute(settings: Settings, endpoint: Question) -> float | None:
    """What the budgets let through to *endpoint*; None where there is no limit."""
    limits = [(settings.requests_per_second, settings.requests_per_minute)]
    limits += [settings.endpoint_budgets[endpoint.value]] if endpoint.value in settings.endpoint_budgets else []
    seconds = [60.0 * per_second for per_second, _ in limits if per_second is not None]
    return min([*seconds, *(float(per_minute) for _, per_minute in limits if per_minute is not None)], default=None)


def requests_per_second(settings: Settings) -> float | None:
    """The budget as a rate; None where there is no limit."""
    per_minute = None if settings.requests_per_minute is None else settings.requests_per_minute / 60
    limits = [limit for limit in (settings.requests_per_second, per_minute) if limit is not None]
    return min(limits, default=None)


def task_options(settings: Settings) -> TaskOptions:
    """Return what of the settings the tasks need."""
    rate = requests_per_second(settings)
    return TaskOptions(
        ohlc_sessions=settings.ohlc_sessions,
        slot_sessions=settings.slot_sessions,
        restate_sessions=settings.restate_sessions,
        sample_requests=settings.sample_requests,
        details_refresh_days=settings.details_refresh_days,
        kept_days=settings.kept_days,
        endpoint_batches={endpoint.value: part_batch(settings, endpoint) for endpoint in _ASKED_BY_SYMBOL},
        ask_for=ASKING_SHARE * settings.part_timeout,
        requests_at_once=max(1, settings.requests_in_flight // settings.parts_at_once),
        requests_per_second=rate,
        requests_a_pass=None if rate is None else max(100, int(rate * PASS_LASTS.total_seconds())),
        deadline=settings.deadline,
    )
