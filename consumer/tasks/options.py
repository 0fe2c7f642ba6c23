"""Takes from the settings what the tasks need."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.massive.budget import RequestBudget, budget_windows
from consumer.massive.flat_file_bucket import open_store
from consumer.massive.rows import Endpoint
from consumer.tasks.part import TaskOptions
from consumer.tasks.passes import PASS_LASTS
from market.data_source import SourceKind
from simulated_market.identity import source_of_folder

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.massive.budget import Budget
    from consumer.massive.flat_file_store import FlatFileStore
    from consumer.settings import Settings
    from market.data_source import DataSource


_ASKED_BY_SYMBOL = (Endpoint.RANGE_BARS, Endpoint.TICKER_DETAILS)
MOST_SYMBOLS = 100
# Of a part's deadline: what all the parts that run together may need for their requests, and how long one may ask.
PLANNED_SHARE, ASKING_SHARE = 1 / 3, 2 / 3

# A market of our own has no limit by itself and answers in a millisecond: a question to Redis before each request would
# be a tenth of a night's work. It refuses a request more, in that time, where it plays the vendor's part.
OWN_MARKET_LOOKS = dt.timedelta(milliseconds=100)


def part_batch(settings: Settings, endpoint: Endpoint) -> int:
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


def requests_per_minute(settings: Settings, endpoint: Endpoint) -> float | None:
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
        details_refresh_days=settings.details_refresh_days,
        endpoint_batches={endpoint.value: part_batch(settings, endpoint) for endpoint in _ASKED_BY_SYMBOL},
        ask_for=ASKING_SHARE * settings.part_timeout,
        requests_at_once=max(1, settings.requests_in_flight // settings.parts_at_once),
        requests_per_second=rate,
        requests_a_pass=None if rate is None else max(100, int(rate * PASS_LASTS.total_seconds())),
        deadline=settings.deadline,
    )


def request_budget(settings: Settings, redis: Redis, source: DataSource) -> Budget:
    """Return the budget that all processes of the key share; without a limit they share the vendor's pauses (429)."""
    windows = budget_windows(per_second=settings.requests_per_second, per_minute=settings.requests_per_minute)
    of_endpoints = {
        endpoint: budget_windows(per_second=per_second, per_minute=per_minute)
        for endpoint, (per_second, per_minute) in settings.endpoint_budgets.items()
    }
    return RequestBudget(
        redis,
        api_key=settings.api_key,
        windows=windows,
        endpoint_windows=of_endpoints,
        look_every=dt.timedelta(0) if source.kind is SourceKind.VENDOR else OWN_MARKET_LOOKS,
    )


def flat_file_store(settings: Settings, source: DataSource) -> FlatFileStore | None:
    """Return where the flat files of *source* are, None where there are none. Raises FlatFilesNotInstalled."""
    if settings.flat_files is None:
        return None
    if not _are_of(settings.flat_files, source):
        logger.warning("flat_files_not_used", flat_files=settings.flat_files, reason=f"not those of {source.words}")
        return None
    return open_store(
        settings.flat_files,
        kept_in=settings.data_dir / "flat-files",
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        endpoint=settings.s3_endpoint,
    )


def _are_of(flat_files: str, source: DataSource) -> bool:
    """Flat files are the vendor's; a replay may read those of its own folder, and a simulated market has none."""
    if source.kind is SourceKind.REPLAY and not flat_files.startswith("s3://"):
        return source_of_folder(Path(flat_files)).is_same(source)
    return source.kind is SourceKind.VENDOR
