"""A month's report is what the ledger tells: of nights with a late session and a restatement, and of three years."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.health_report.html import page
from consumer.health_report.month import Month
from consumer.health_report.reading import read_report
from consumer.health_report.report import Letters, Records, RestatedRows, Standing
from consumer.postgres import findings
from consumer.postgres.findings import Report as FindingReport
from consumer.postgres.findings import Settled, State
from contract import data_sets as sets
from market.findings import Finding, Kind
from tests.cycle.stack import DAY, OPTIONS, Clock, Stack, new_york
from tests.cycle.test_reads_its_window import Statements, reads_too_much
from tests.cycle.three_years import SESSIONS, put_three_years
from tests.health_report.pages import Page

if TYPE_CHECKING:
    from consumer.health_report.report import Report

MARKET_OF = 60  # tickers

NOVEMBER = Month(year=2025, number=11)
BEFORE, NEXT = dt.date(2025, 11, 10), dt.date(2025, 11, 12)
#: A statement of a report goes over no more rows of anything than so many of the 750 sessions have.
SESSIONS_OF_A_REPORT = 70


async def report_of(stack: Stack, month: Month = NOVEMBER) -> Report:
    async with stack.pool.acquire() as connection:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await read_report(connection, stack.expectations, month, now=stack.clock())


async def live_through_three_nights(stack: Stack, clock: Clock) -> None:
    """The service is away in the evening of the 11th; on the 12th the vendor restates it, and the 10th was suspect."""
    clock.at = new_york(BEFORE, "20:16")
    await stack.look_and_work()
    clock.at = new_york(NEXT, "09:00")
    await stack.look_and_work()
    await stack.market.fail(
        {"kind": "restated", "endpoint": "grouped_daily", "day": str(DAY), "tickers": ["SPY", "IBM"],
         "volume_factor": 1.25},
        {"kind": "restated", "endpoint": "range_bars", "day": str(DAY), "tickers": ["SPY"], "volume_factor": 1.25},
    )  # fmt: skip
    clock.at = new_york(NEXT, "20:16")
    await stack.look_and_work()
    await stack.pool.execute(
        "INSERT INTO sampled_recheck (week, data_set, trading_day, checked_at, compared, differed, load_id) "
        "VALUES ('2025-11-10', 'daily_bars', '2025-10-30', $1, 60, 3, 1), ('2025-11-10', 'daily_bars', '2025-10-29', "
        "$2, 60, 0, 1)",
        clock.at,
        new_york(dt.date(2025, 12, 1), "00:00"),  # the next month's first instant
    )
    async with stack.pool.acquire() as connection, connection.transaction():
        finding = Finding(kind=Kind.PRICES, reason="<b>half</b> of the median")
        number = await findings.report(
            connection, sets.DAILY_BARS, BEFORE, FindingReport(finding=finding, load_id=1, now=clock.at)
        )
        settled = Settled(state=State.ACCEPTED, by="ann", reason="so it was")
        await findings.settle(connection, [number], settled, now=clock.at)


async def test_a_report_tells_the_late_session_the_restatement_and_what_was_asked_of_the_vendor(
    stack: Stack, clock: Clock
) -> None:
    await live_through_three_nights(stack, clock)
    asked = {endpoint: count for endpoint, count in (await stack.market.requests()).items() if count}
    report = await report_of(stack)

    standing = {one.day: one.standing for one in report.days if one.day <= NEXT}
    assert set(standing.values()) == {Standing.FINAL}
    assert report.counts[Standing.FINAL] == 8
    assert report.counts[Standing.NOT_YET_DUE] == 11
    assert report.is_whole
    assert report.records is Records.IN_PART
    assert report.records_since == new_york(BEFORE, "20:16")

    late = [(one.day, one.deadline, one.since, one.late_by_seconds) for one in report.late.sessions]
    assert late == [(DAY, new_york(DAY, "21:15"), new_york(NEXT, "09:00"), (11 * 60 + 45) * 60)]
    assert report.late.unknown == 0

    assert report.restated == tuple(
        RestatedRows(data_set=name, sessions=1, rows=rows, within_1_day=rows, after_2_to_5_days=0,
                     after_6_to_30_days=0, later=0)
        for name, rows in (("daily_bars", 2), ("volume_slots", 1))
    )  # fmt: skip

    assert report.spent is not None
    assert report.spent.requests == asked
    assert [(one.kind, one.state, one.cycles) for one in report.spent.cycles] == [("schedule", "complete", 3)]
    assert report.spent.letters == Letters()
    assert {one.task for one in report.spent.tasks} >= {"ohlc_daily", "volume_slots", "metadata_enrich", "redis_sync"}

    assert report.repaired is not None
    assert [(one.state, one.by, one.findings) for one in report.repaired.settled] == [("accepted", "ann", 1)]
    assert report.sampled is not None
    assert [(one.age, one.compared, one.differed, one.share) for one in report.sampled] == [
        ("up to 30 days", 60, 3, 0.05)
    ]
    assert Page(page(report)).wrong == []


async def test_a_hole_is_told_as_lacking_and_once_a_backfill_has_filled_it_as_repaired(
    stack: Stack, clock: Clock
) -> None:
    await stack.run_cycle()
    hole = dt.date(2025, 11, 5)
    for table, column in (("daily_bar", "trading_date"), ("session_slots", "trading_date")):
        await stack.pool.execute(f"DELETE FROM {table} WHERE {column} = $1", hole)
    await stack.pool.execute("DELETE FROM coverage WHERE trading_day = $1", hole)
    report = await report_of(stack)
    assert not report.is_whole
    assert [one.day for one in report.days if one.gaps] == [hole]

    clock.advance(minutes=10)
    await stack.run_cycle(hole, first_day=hole)
    report = await report_of(stack)
    assert report.is_whole
    assert report.repaired is not None
    assert [(one.day, one.requested_by) for one in report.repaired.sessions] == [(hole, "test")]
    assert [(one.first_day, one.last_day) for one in report.repaired.backfills] == [(hole, hole)]
    assert report.repaired.backfills_opened == 1


async def test_once_retention_has_run_past_a_month_its_records_are_gone_and_its_data_are_not(
    stack: Stack, clock: Clock
) -> None:
    """Working records are kept 400 days: on 2026-12-16 those before 2025-11-11 go, on 2027-01-06 all of November."""
    await live_through_three_nights(stack, clock)
    for evening, records in (("2026-12-16", Records.IN_PART), ("2027-01-06", Records.GONE)):
        clock.at = new_york(dt.date.fromisoformat(evening), "20:16")
        await stack.look_and_work()
        report = await report_of(stack)
        assert report.records is records, evening
        assert report.counts[Standing.FINAL] == 8
    assert (report.restated, report.repaired, report.spent, report.sampled) == (None, None, None, None)
    assert [one.day for one in report.late.sessions] == [DAY], "what is kept of a session for ever still tells it"


@pytest.mark.long(20)
async def test_no_statement_of_a_report_reads_more_than_its_month_of_three_years(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(monkeypatch)
    await stack.run_cycle()
    await put_three_years(stack.pool, DAY, newest_window=OPTIONS.ohlc_sessions)
    await stack.pool.execute(
        "INSERT INTO sampled_recheck SELECT d, 'daily_bars', d, d + interval '3 days', 60, 0, 1 "
        "FROM generate_series(date '2023-01-01', date '2025-11-01', interval '1 day') AS d"
    )
    await stack.pool.execute("ANALYZE")
    statements.wanted = True
    report = await report_of(stack, Month(year=2024, number=11))
    statements.wanted = False
    assert report.restated is not None
    rows = await stack.pool.fetch(
        "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND reltuples > $1", SESSIONS - 20
    )
    most = {row["relname"]: row["reltuples"] * SESSIONS_OF_A_REPORT / SESSIONS for row in rows}
    own = {"cycle", "part", "restatement", "session_finding", "dead_letter", "sampled_recheck"}
    assert own <= most.keys()
    examples = statements.examples()
    asked = " ".join(query for query, _ in examples)
    assert all(f"FROM {table}" in asked or f"JOIN {table}" in asked for table in own)
    wrong = [
        f"{'; '.join(found)}\n{query}\n"
        for query, arguments in examples
        if (found := await reads_too_much(stack.pool, query, arguments, most))
    ]
    assert not wrong, "\n".join(wrong)
