"""Lays what is known out as metrics: their names, units and labels.  Pure.

Prefix `maintenance_`, base units, and no label that grows with the market. What is not known is left out: a server that
is away, a lag that Redis cannot tell and a time that never was are no zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from consumer.counting import PARTS, REQUESTS, SETTLEMENTS
from consumer.postgres.packaged import migrations
from consumer.verdict.deadlines import missed_deadlines
from consumer.verdict.gaps import is_gap
from consumer.verdict.reading import window
from consumer.verdict.service import Service
from consumer.verdict.states import SessionState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from consumer.verdict.reading import Judged
    from consumer.verdict.states import SessionVerdict
    from consumer.web.metric_facts import Facts, LastCycle, OfLedger, OfRedis, OfStream

_COUNTERS = (
    (SETTLEMENTS, "maintenance_settlements", "Deliveries that ended, by how they were settled.", ("task", "verdict")),
    (PARTS, "maintenance_parts", "Parts that ended, by whether their data came.", ("task", "outcome")),
    (
        REQUESTS,
        "maintenance_provider_requests",
        "Requests to the vendor, by its HTTP status; none: it did not answer.",
        ("endpoint", "status"),
    ),
)


def families(facts: Facts) -> Iterator[Metric]:
    """Give the families of metrics, those of a server that is away left out."""
    yield InfoMetricFamily("maintenance_build", "The version that this program gives the tables.", value=_build())
    up = {name: float(check.connected) for name, check in facts.checks.items()}
    yield _gauges("maintenance_server_up", "1 while the server, or the streams, answer.", "server", up)
    if facts.ledger is not None:
        yield from _of_ledger(facts.ledger)
    if facts.redis is not None:
        yield from _of_redis(facts.redis, facts.now)


def _build() -> dict[str, str]:
    return {"schema": str(migrations()[-1].number)}


def _of_ledger(ledger: OfLedger) -> Iterator[Metric]:
    status, judged = ledger.status, ledger.judged
    due_at = status.next_due["at"]
    yield from _instants(
        ("cycle_last_success", "When the newest cycle ended that left nothing.", ledger.last_success_at),
        ("cycle_next_due", "When the next cycle falls due.", due_at),  # type: ignore[arg-type]
        ("serving_due", "The newest due time.", status.serving.due_at),
        ("serving_deadline", "Until when the newest due time has to be served.", status.serving.deadline),
    )
    told = "How the newest due time is served."
    yield _one_of("maintenance_serving", told, "service", Service, status.serving.service)
    told = "What stands of the newest session that is due."
    yield _one_of("maintenance_session_state", told, "state", SessionState, status.session.state)
    if status.caches is not None:
        yield _gauge("maintenance_caches_whole", "1 while Redis holds the caches as they were written.", status.caches)
    yield _gauge("maintenance_dead_letters", "Dead letters that are open.", status.dead_letters)
    if ledger.last is not None:
        yield from _of_last(ledger.last)
    yield from _of_sessions(judged)


def _of_last(last: LastCycle) -> Iterator[Metric]:
    seconds = {task: tally.seconds for task, tally in last.tallies.items()}
    told = "How long the cycle that ended last was open, waits included."
    yield _gauge("maintenance_cycle_duration_seconds", told, last.duration.total_seconds())
    told = "How long the parts of a task took in its last pass, from the first begun to the last ended."
    yield _gauges("maintenance_task_duration_seconds", told, "task", seconds)


def _of_sessions(judged: Judged) -> Iterator[Metric]:
    days = window(judged.ruler.expectations, judged.ruler.now)
    verdicts = [judged.verdicts[day] for day in days if day in judged.verdicts]
    names = list(dict.fromkeys(one.data_set for verdict in verdicts for one in verdict.data_sets))
    gaps, missed = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for verdict in verdicts:
        for one in verdict.data_sets:
            gaps[one.data_set] += is_gap(one, verdict, judged.ruler)
    for lacking in missed_deadlines(verdicts):
        missed[lacking.data_set] += 1
    told = "Sessions of the window of which somebody should see to the data set."
    yield _gauges("maintenance_gap_sessions", told, "dataset", gaps)
    told = "Sessions of the window of which the data set was not there by its deadline, and is not yet."
    yield _gauges("maintenance_deadline_missed_sessions", told, "dataset", missed)
    told = "Share of what is expected of the newest session that is due."
    due = judged.verdicts.get(judged.serving.trading_day)
    yield _gauges("maintenance_coverage_ratio", told, "dataset", {} if due is None else _coverage(due))
    suspect = sum(verdict.is_suspect for verdict in verdicts)
    yield _gauge("maintenance_suspect_sessions", "Sessions of the window with an open finding.", suspect)


def _coverage(verdict: SessionVerdict) -> dict[str, float]:
    return {
        one.data_set: min(1.0, (one.loaded + one.empty) / one.expected) for one in verdict.data_sets if one.expected
    }


def _of_redis(redis: OfRedis, now: dt.datetime) -> Iterator[Metric]:
    yield from _of_streams(redis.streams, now)
    yield _gauge("maintenance_parked_entries", "Messages that wait for their time.", redis.parked)
    for family, name, told, labels in _COUNTERS:
        counter = CounterMetricFamily(name, told, labels=labels)
        for one, times in sorted(redis.counts.items(), key=lambda kept: (kept[0].first, kept[0].second)):
            if one.family == family:
                counter.add_metric([one.first, one.second], times)
        yield counter
    told = "Requests that the budget would let through at once."
    yield _gauges("maintenance_provider_budget_remaining_requests", told, "window", redis.budget)


def _of_streams(streams: Iterable[OfStream], now: dt.datetime) -> Iterator[Metric]:
    streams = list(streams)
    told = "Entries in the stream."
    yield _gauges("maintenance_stream_entries", told, "stream", {one.stream: one.entries for one in streams})
    labels = ("stream", "group")
    lag = GaugeMetricFamily("maintenance_stream_lag_entries", "Entries that nobody has taken yet.", labels=labels)
    told = "Entries that were taken and are not settled."
    pending = GaugeMetricFamily("maintenance_stream_pending_entries", told, labels=labels)
    told = "How long ago the oldest entry was written that is taken and not settled."
    oldest = GaugeMetricFamily("maintenance_stream_oldest_pending_seconds", told, labels=labels)
    for one in streams:
        if one.group is None:
            continue
        named = [one.stream, one.group]
        pending.add_metric(named, one.pending)
        if one.lag is not None:
            lag.add_metric(named, one.lag)
        if one.oldest_pending_at is not None:
            oldest.add_metric(named, max(0.0, (now - one.oldest_pending_at).total_seconds()))
    yield from (lag, pending, oldest)


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, value=float(value))


def _gauges(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family


def _one_of(name: str, told: str, label: str, states: Iterable[str], present: str) -> GaugeMetricFamily:
    """1 for the *present* one of *states*, and 0 for all others."""
    return _gauges(name, f"{told} 1 for what it is.", label, {str(state): float(state == present) for state in states})


def _instants(*named: tuple[str, str, dt.datetime | None]) -> list[GaugeMetricFamily]:
    """In Unix seconds; what never was is left out."""
    return [
        _gauge(f"maintenance_{name}_timestamp_seconds", told, at.timestamp())
        for name, told, at in named
        if at is not None
    ]
