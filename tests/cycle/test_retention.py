"""What is over its time goes, and nothing else: market data only where that is wanted, and then for good."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.catalogue.registry import TABLES
from consumer.catalogue.retention import WORKING_RECORDS_DAYS, due, may_be_kept
from consumer.data_sets.tables import Kept
from consumer.settings import read_settings
from consumer.verdict.states import SessionState
from contract import data_sets as sets
from process.settings.reading import BadSettings
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, new_york, stack_on
from tests.cycle.three_years import put_copies

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool
    from tests.cycle.stack import Clock, Market

NOW = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
NEXT_DAY = dt.date(2025, 11, 12)
OLD = CALENDAR.trading_days(dt.date(2024, 3, 18), dt.date(2024, 3, 28))
OLDER_THAN_KEPT = 5  # of these nine
# Against the bars of a session, whose answer may still be taken, and against its slots, which are deleted.
_OPEN_FINDING = """
    WITH finding AS (
        INSERT INTO session_finding (trading_day, data_set, kind, reason, load_id, found_at, rechecked_at)
        SELECT $1::date, data_set, 'flat_bars', 'it was', 990001, $1::date, '2030-01-01'
        FROM unnest(ARRAY['daily_bars', 'volume_slots']) AS w (data_set) RETURNING load_id),
    aside AS (
        INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol)
        VALUES (990001, 'daily_bars', $1::date, 'price', '{}', 'A') RETURNING load_id)
    SELECT max(load_id) FROM finding
"""
KEPT_DAYS = (NEXT_DAY - OLD[OLDER_THAN_KEPT]).days


def test_by_default_no_market_data_is_ever_due_and_working_records_are_after_their_days() -> None:
    over = due({}, now=NOW, day=DAY)
    assert over.retired == ()
    assert {one.before for one in over.removed} == {NOW - dt.timedelta(days=WORKING_RECORDS_DAYS)}
    assert all(one.table.kept is Kept.WORKING_RECORDS for one in over.removed)


def test_what_a_data_set_keeps_by_session_can_have_a_retention_and_nothing_else_can() -> None:
    assert may_be_kept().keys() == {
        sets.DAILY_BARS, sets.VOLUME_SLOTS, sets.ATR, sets.TICKER_HISTORY, "working_records",
    }  # fmt: skip
    over = due({sets.VOLUME_SLOTS: 500}, now=NOW, day=DAY)
    assert [(one.data_set, one.before) for one in over.retired] == [(sets.VOLUME_SLOTS, dt.date(2024, 6, 29))]


def test_in_a_replay_sessions_age_by_the_market_and_not_by_the_clock() -> None:
    long_ago = dt.date(2013, 10, 11)
    (one,) = due({sets.DAILY_BARS: 400}, now=NOW, day=long_ago).retired
    assert one.before == long_ago - dt.timedelta(days=400)


def test_a_retention_within_the_window_is_refused_with_what_the_window_needs() -> None:
    with pytest.raises(BadSettings, match=r"RETENTION: daily_bars=400d is less than its window: write 1610d or more"):
        read_settings({"RETENTION": "daily_bars=400d", "OHLC_SESSIONS": "1000", "MASSIVE_API_KEY": "any"})
    assert read_settings({"RETENTION": "daily_bars=400d", "MASSIVE_API_KEY": "any"}).kept_days == {"daily_bars": 400}


@pytest.mark.long(20)
async def test_working_records_go_after_their_days_and_market_data_only_where_that_is_set(
    migrated_dsn: str, redis_url: str, market: Market, clock: Clock
) -> None:
    """Bars stay, slots go: a deleted session is retired, and not planned again."""
    async with stack_on(migrated_dsn, redis_url, market, clock) as stack:
        await stack.run_cycle()
        await put_copies(stack.pool, DAY, OLD)
        await stack.pool.execute("DELETE FROM coverage WHERE data_set = $1", sets.RETENTION)  # as if never applied
        open_load = await stack.value(_OPEN_FINDING, OLD[0])
        before = await _counts(stack.pool)
        aged = {name: rows for name, rows in (await _aged(stack.pool)).items() if rows}
    kept = msgspec.structs.replace(OPTIONS, kept_days={sets.VOLUME_SLOTS: KEPT_DAYS, sets.ATR: KEPT_DAYS})
    clock.at = new_york(NEXT_DAY, "20:16")
    async with stack_on(migrated_dsn, redis_url, market, clock, options=kept) as stack:
        cycle = await stack.run_cycle(NEXT_DAY)
        after, left = await _counts(stack.pool), await _aged(stack.pool)
        verdict = await stack.verdict(OLD[0])
        again = await stack.run_cycle(DAY)
        oldest_slots = await stack.value("SELECT min(trading_date) FROM session_slots")
        findings = await stack.pool.fetch(
            "SELECT data_set, state FROM session_finding WHERE trading_day = $1 AND load_id = $2", OLD[0], open_load
        )
        contested = await stack.value("SELECT count(*) FROM set_aside WHERE load_id = $1", open_load)
        retired_atr = await stack.value(
            "SELECT array_agg(trading_day ORDER BY trading_day) FROM coverage WHERE data_set = $1 "
            "AND retired_at IS NOT NULL AND NOT EXISTS (SELECT FROM ticker_atr WHERE trading_date = trading_day)",
            sets.ATR,
        )
        first_cycle = await stack.value("SELECT min(cycle_id) FROM cycle")

    assert (cycle.state, cycle.missing, again.state) == ("complete", (), "complete")
    for table in ("daily_bar", "listed_ticker", "ticker_profile", "coverage"):
        assert after[table] >= before[table], table
    assert aged.keys() >= {"data_load", "cycle", "restatement", "dead_letter", "session_finding"}
    assert set(left.values()) == {0}
    assert oldest_slots == OLD[OLDER_THAN_KEPT]
    assert retired_atr == list(OLD[:OLDER_THAN_KEPT])
    assert {tuple(one) for one in findings} == {("daily_bars", "open"), ("volume_slots", "cleared")}
    assert contested == 1, "what an answer lost that may still be taken is a hole of it"
    # Since when this database is maintained is told by its first cycle, which stays.
    assert first_cycle == 1
    retired = verdict.of(sets.VOLUME_SLOTS)
    assert retired is not None
    assert retired.state is SessionState.RETIRED


async def _counts(pool: Pool) -> dict[str, int]:
    return {name: await pool.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES}


async def _aged(pool: Pool) -> dict[str, int]:
    """How many rows are over their time in each table of working records, and not referred to by what stands."""
    before = new_york(NEXT_DAY, "20:16") - dt.timedelta(days=WORKING_RECORDS_DAYS)
    return {
        name: await pool.fetchval(
            f"SELECT count(*) FROM {name} AS t WHERE {table.age_column} < $1 AND NOT ({table.stays})", before
        )
        for name, table in TABLES.items()
        if table.age_column is not None
    }
