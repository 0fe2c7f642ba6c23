"""Puts three years of history under a night's window by SQL, in every relation that grows from night to night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cycle.stack import CALENDAR

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Pool

SESSIONS = 750
CYCLES_A_NIGHT = 2
# Nobody traded before it was listed.
_WAS_THERE = "NOT EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = one.symbol AND u.issuer_since > d)"
#: What grows, as a copy of one night's rows for each older session. $1: the older sessions, $2: the session copied.
_GROWING = (
    f"""
    INSERT INTO daily_bar
    SELECT d, symbol, open, high, low, close, volume, vwap, trades_count, 1
    FROM unnest($1::date[]) AS d, daily_bar AS one WHERE trading_date = $2 AND {_WAS_THERE} ORDER BY 1, 2
    """,
    f"""
    INSERT INTO session_slots (trading_date, symbol, outcome, fetched_at, load_id)
    SELECT d, symbol, 'no_trades', d + interval '2 days', 1
    FROM unnest($1::date[]) AS d, session_slots AS one WHERE trading_date = $2 AND {_WAS_THERE} ORDER BY 1, 2
    """,
    f"""
    INSERT INTO ticker_atr SELECT d, symbol, atr, atr_percent, bars_used, 1
    FROM unnest($1::date[]) AS d, ticker_atr AS one WHERE trading_date = $2 AND {_WAS_THERE} ORDER BY 1, 2
    """,
    """
    INSERT INTO ticker_profile_history (symbol, valid_from, valid_to, company_name, shares_outstanding, known_at)
    SELECT symbol, d, d + 1, 'of then', 1e6, d FROM unnest($1::date[]) AS d, ticker_profile
    WHERE $2::date IS NOT NULL ORDER BY d
    """,
    """
    INSERT INTO listed_ticker_history (symbol, valid_from, valid_to, is_listed, state, known_at)
    SELECT symbol, d, d + 1, true, 'listed', d FROM unnest($1::date[]) AS d, listed_ticker
    WHERE $2::date IS NOT NULL ORDER BY d
    """,
    """
    INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, detail)
    SELECT data_set, d, row_count, d + interval '2 days', 1, detail
    FROM unnest($1::date[]) AS d, coverage WHERE trading_day = $2 AND NOT data_set LIKE 'cache:%' ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO data_load (cycle_id, task, part, fence, source, fetched_at, row_count)
    SELECT 100, 'volume_slots', CASE number WHEN 1 THEN 'file:' || d ELSE 'batch:' || number END, 1,
           CASE number WHEN 1 THEN 'massive:flat_files' ELSE 'massive:rest' END, d + interval '1 day', 20
    FROM unnest($1::date[]) AS d, generate_series(1, 20) AS number WHERE $2::date IS NOT NULL ORDER BY d, number
    """,
    """
    INSERT INTO restatement (data_set, trading_day, symbol, change, load_id, found_at)
    SELECT set, d, symbol, 'changed', 1, d + interval '2 days'
    FROM unnest($1::date[]) AS d, unnest(ARRAY['daily_bars', 'volume_slots']) AS set, daily_bar
    WHERE trading_date = $2 ORDER BY d
    """,
    """
    INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol, field)
    SELECT 3, 'daily_bars', d, 'price', '{}', symbol, NULL
    FROM unnest($1::date[]) AS d, daily_bar WHERE trading_date = $2 ORDER BY d
    """,
    """
    INSERT INTO session_finding (trading_day, data_set, kind, reason, load_id, found_at, state, settled_at, settled_by)
    SELECT d, 'daily_bars', 'copy', 'it was', 1, d, 'cleared', d, 'the night' FROM unnest($1::date[]) AS d
    WHERE $2::date IS NOT NULL
    """,
    """
    INSERT INTO dead_letter (stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day, task,
                             part, state, settled_at)
    SELECT 'maintenance:tasks', d || '-' || number, 'it was', 'one', 1, d, '{}', d, 'ohlc_daily', 'bars', 'dropped', d
    FROM unnest($1::date[]) AS d, generate_series(1, 3) AS number WHERE $2::date IS NOT NULL
    """,
)
# As a market has it, where a night is to be measured: slots with their volumes, and of a session one row set aside.
_AS_IT_IS = {
    "INTO session_slots": f"""
    INSERT INTO session_slots (trading_date, symbol, outcome, volumes, trades, trades_unknown, fetched_at, load_id)
    SELECT d, symbol, outcome, volumes, trades, trades_unknown, d + interval '2 days', 1
    FROM unnest($1::date[]) AS d, session_slots AS one WHERE trading_date = $2 AND {_WAS_THERE} ORDER BY 1, 2
    """,
    "INTO set_aside": """
    INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol, field)
    SELECT 3, 'daily_bars', d, 'price', '{}', symbol, NULL
    FROM unnest($1::date[]) AS d, (SELECT min(symbol) AS symbol FROM daily_bar WHERE trading_date = $2) AS one
    """,
}
_CYCLES = """
    INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, pass_started_at,
                       finished_at, give_up_at)
    SELECT d, o, true, d + interval '1 day', 'schedule', c.tasks, 'complete', d + interval '1 day',
           d + interval '1 day', d + interval '1 day', d + interval '2 days'
    FROM unnest($1::date[]) AS d, unnest(ARRAY['POST_MARKET+1h', 'CLOSED+15m']) AS o,
         (SELECT tasks FROM cycle LIMIT 1) AS c
"""
_PARTS = """
    INSERT INTO part (cycle_id, task, part, stage, state, pass, payload, ended_at)
    SELECT c.cycle_id, p.task, p.part, p.stage, 'done', 1, p.payload, c.finished_at
    FROM cycle AS c, part AS p
    WHERE c.trading_day = ANY ($1) AND p.cycle_id = (SELECT max(cycle_id) FROM part) ORDER BY 1
"""


async def put_three_years(
    pool: Pool, day: dt.date, *, newest_window: int, sessions: int = SESSIONS, as_it_is: bool = False
) -> None:
    """Copy what stands of *day* to the older ones of so many *sessions*: much of what is cheap, or as a market has it.

    The *newest_window* sessions up to *day* are there already.
    """
    await put_copies(pool, day, CALENDAR.last_trading_days(sessions, up_to=day)[:-newest_window], as_it_is=as_it_is)


async def put_copies(pool: Pool, day: dt.date, older: Sequence[dt.date], *, as_it_is: bool = False) -> None:
    """Copy what stands of *day* to each of the *older* sessions."""
    async with pool.acquire() as connection:
        for statement in _GROWING:
            instead = [other for into, other in _AS_IT_IS.items() if as_it_is and into in statement]
            await connection.execute(instead[0] if instead else statement, older, day)
        await connection.execute(_CYCLES, older)
        await connection.execute(_PARTS, older)
        await connection.execute("ANALYZE")
