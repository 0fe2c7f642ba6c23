"""Reads what stands of a month in one go, and reports on it: the one way from the ledger to a report."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.health_report.build import build_report
from consumer.health_report.facts import Evidence, Facts, Kept, Noted
from consumer.postgres import coverage, month_evidence, run_figures
from consumer.postgres.run_figures import Within
from consumer.postgres.session_conditions import read_conditions
from consumer.postgres.source_stamp import read_stamp
from consumer.verdict.reading import judge_sessions
from contract import data_sets as sets

if TYPE_CHECKING:
    from consumer.health_report.month import Month
    from consumer.health_report.report import Report
    from consumer.postgres.pool import Connection
    from consumer.verdict.reading import Judged
    from consumer.verdict.ruler import Expectations

#: Of backfills and settled findings so many are named, the newest.
MOST_NAMED = 50


async def read_report(connection: Connection, expectations: Expectations, month: Month, *, now: dt.datetime) -> Report:
    """Report on *month* as it stands at *now*. Wants a repeatable-read transaction: all of one instant.

    Raises BadMonth where every session of the month is from before the data begin.
    """
    return build_report(await read_facts(connection, expectations, month, now=now))


async def read_facts(connection: Connection, expectations: Expectations, month: Month, *, now: dt.datetime) -> Facts:
    """Read what stands of *month*; each statement is bounded by the month's days, or by when it began and ended."""
    days = expectations.schedule.calendar.trading_days(month.first, month.last)
    judged = await judge_sessions(connection, expectations, now=now, days=days)
    conditions = await read_conditions(connection, days)
    source = await read_stamp(connection)
    return Facts(
        month=month,
        judged=judged,
        noted={day: Noted(state=one.state, since=one.state_since) for day, one in conditions.items()},
        settled_last=await month_evidence.settled_last(connection, days),
        origins=await run_figures.origins_of(connection, _cycles_of(judged)),
        kept=await _kept(connection),
        evidence=await _evidence(connection, Within(since=month.begins_at, until=month.ends_at)),
        source=None if source is None else source.words,
    )


def _cycles_of(judged: Judged) -> list[int]:
    """The cycles that brought the bars that stand."""
    bars = [verdict.of(sets.DAILY_BARS) for verdict in judged.verdicts.values()]
    return sorted({one.cycle for one in bars if one is not None and one.cycle is not None})


async def _kept(connection: Connection) -> Kept:
    applied = await coverage.newest_detail(connection, sets.RETENTION)
    return Kept(
        deleted_before=None if applied is None else dt.datetime.fromisoformat(applied["before"]),
        first_ends=await run_figures.first_ends(connection),
    )


async def _evidence(connection: Connection, span: Within) -> Evidence:
    return Evidence(
        restated=tuple(await month_evidence.restated_within(connection, span)),
        settled=tuple(await month_evidence.settled_within(connection, span)),
        findings=tuple(await month_evidence.last_settled_within(connection, span, most=MOST_NAMED)),
        letters=tuple(await month_evidence.letters_within(connection, span)),
        sampled=tuple(await month_evidence.sampled_within(connection, span)),
        cycles=tuple(await run_figures.cycles_within(connection, span)),
        requests=await run_figures.requests_within(connection, span),
        work=tuple(await run_figures.work_within(connection, span)),
        backfills=tuple(await run_figures.backfills_within(connection, span, most=MOST_NAMED)),
    )
