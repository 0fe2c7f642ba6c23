"""Reads what the stored bars prove of single symbols: that they traded, until when, whether it breaks at a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.companies import Trading
from market.listing import Stored
from market.renames import Bars, Pair

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from consumer.postgres.pool import Connection, Pool
    from market.companies import Question
    from market.identity import NextSession

# "Right before a day": so many proven sessions, and at least a week of the calendar.
_SESSIONS_BEFORE = 5


_TRADING = """
SELECT a.symbol, a.day, b.trading_date AS before, b.close AS close_before,
       f.trading_date AS first_from, f.open AS open_from, greatest(l.trading_date, w.trading_day) AS last,
       NOT EXISTS (SELECT FROM daily_bar AS d WHERE d.symbol = a.symbol AND d.volume > 0
                   AND d.trading_date < a.quiet_before
                   AND d.trading_date >= least(a.quiet_before - 7, r.since)) AS quiet,
       coalesce((SELECT exp(sum(one.ratio)) FROM (
           SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
           WHERE coalesce(s.company, s.symbol) = a.symbol AND s.verdict <> 'contradicted'
             AND s.execution_day > b.trading_date AND s.execution_day <= f.trading_date
           GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)) AS one), 1) AS factor
FROM (SELECT symbol, day, greatest(day, $4::date) AS quiet_before
      FROM unnest($1::text[], $2::date[]) AS u (symbol, day)) AS a
LEFT JOIN LATERAL (
    SELECT d.trading_date, d.close FROM daily_bar AS d
    WHERE d.symbol = a.symbol AND d.volume > 0 AND d.trading_date < a.day
    ORDER BY d.trading_date DESC LIMIT 1) AS b ON true
LEFT JOIN LATERAL (
    SELECT d.trading_date, d.open FROM daily_bar AS d
    WHERE d.symbol = a.symbol AND d.volume > 0 AND d.trading_date >= a.day
    ORDER BY d.trading_date LIMIT 1) AS f ON true
LEFT JOIN LATERAL (
    SELECT d.trading_date FROM daily_bar AS d WHERE d.symbol = a.symbol AND d.volume > 0
    ORDER BY d.trading_date DESC LIMIT 1) AS l ON true
LEFT JOIN LATERAL (
    -- A row set aside came too: it does not say that nobody traded.
    SELECT max(s.trading_day) AS trading_day FROM set_aside AS s
    JOIN coverage AS c USING (data_set, trading_day, load_id)
    WHERE s.data_set = 'daily_bars' AND s.field IS NULL AND s.symbol = a.symbol) AS w ON true
LEFT JOIN LATERAL (
    SELECT min(near.trading_day) AS since FROM (
        SELECT c.trading_day FROM coverage AS c
        WHERE c.data_set = 'daily_bars' AND c.trading_day < a.quiet_before
        ORDER BY c.trading_day DESC LIMIT $3) AS near) AS r ON true
"""


async def read_trading(
    connection: Connection | Pool, asked: Collection[tuple[str, dt.date]], *, quiet_before: dt.date | None = None
) -> dict[tuple[str, dt.date], Trading]:
    """Return what the bars with volume of each (symbol, day) say around that day.

    Whether they are quiet is asked of the sessions right before *quiet_before*, where that is later: the day of the
    listing that showed what had happened since an earlier one.
    """
    rows = await connection.fetch(
        _TRADING,
        [symbol for symbol, _ in asked],
        [day for _, day in asked],
        _SESSIONS_BEFORE,
        quiet_before,
    )
    return {
        (row["symbol"], row["day"]): Trading(
            quiet=row["quiet"],
            before=row["before"],
            close_before=row["close_before"],
            first_from=row["first_from"],
            open_from=row["open_from"],
            last=row["last"],
            factor=row["factor"],
        )
        for row in rows
    }


async def read_bars(
    connection: Connection | Pool,
    asked: Sequence[Question],
    *,
    next_session: NextSession,
    quiet_before: dt.date | None = None,
) -> Bars:
    """Return what is needed to decide *asked*; renames are held against the newest sessions too."""
    renames = [question for question in asked if question.is_rename]
    since = min((question.changed_on for question in renames), default=None)
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = 'daily_bars' AND trading_day > $1 "
        "ORDER BY trading_day DESC LIMIT $2",
        since,
        _SESSIONS_BEFORE,
    )
    sessions = sorted(row["trading_day"] for row in rows)
    days = {question.changed_on for question in asked} | set(sessions)
    wanted = {(symbol, day) for question in asked for symbol in question.symbols for day in days}
    trading = await read_trading(connection, wanted, quiet_before=quiet_before)
    pairs = await _read_pairs(connection, {(q.known.symbol, q.listed.symbol, day) for q in renames for day in days})
    return Bars(trading=trading, pairs=pairs, sessions=sessions, next_session=next_session)


_PAIRS = """
SELECT a.old, a.new, a.day, own.first_own,
       coalesce((SELECT exp(sum(one.ratio)) FROM (
           SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
           WHERE coalesce(s.company, s.symbol) IN (a.old, a.new) AND s.verdict <> 'contradicted'
             AND s.execution_day > b.trading_date AND s.execution_day <= f.trading_date
           GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)) AS one), 1) AS factor
FROM unnest($1::text[], $2::text[], $3::date[]) AS a (old, new, day)
LEFT JOIN LATERAL (
    SELECT d.trading_date FROM daily_bar AS d
    WHERE d.symbol = a.old AND d.volume > 0 AND d.trading_date < a.day
    ORDER BY d.trading_date DESC LIMIT 1) AS b ON true
LEFT JOIN LATERAL (
    SELECT d.trading_date FROM daily_bar AS d
    WHERE d.symbol = a.new AND d.volume > 0 AND d.trading_date >= a.day
    ORDER BY d.trading_date LIMIT 1) AS f ON true
LEFT JOIN LATERAL (
    -- Rows of a company that has left the symbol are that one's, not the symbol's own.
    SELECT min(h.trading_date) AS first_own FROM daily_history AS h
    WHERE h.traded_as = a.new AND h.symbol = a.new AND h.volume > 0 AND h.trading_date < a.day
      AND h.trading_date >= least(a.day, b.trading_date) - 7) AS own ON true
"""


async def _read_pairs(
    connection: Connection | Pool, asked: Collection[tuple[str, str, dt.date]]
) -> dict[tuple[str, str, dt.date], Pair]:
    """Return, of (old symbol, new symbol, day), what the bars before that day say of both at once."""
    rows = await connection.fetch(
        _PAIRS,
        [old for old, _, _ in asked],
        [new for _, new, _ in asked],
        [day for _, _, day in asked],
    )
    return {
        (row["old"], row["new"], row["day"]): Pair(first_own=row["first_own"], factor=row["factor"]) for row in rows
    }


async def newest_session(connection: Connection | Pool) -> dt.date | None:
    """Return the newest session of which bars are stored."""
    day: dt.date | None = await connection.fetchval("SELECT max(trading_date) FROM daily_bar")
    return day


async def last_traded(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, dt.date]:
    """Return the last session with volume of each of *symbols* that has one.

    A row that the load that stands set aside came too: whatever is wrong with it, it does not say that nobody traded.
    """
    rows = await connection.fetch(
        """
        SELECT a.symbol, greatest(
            (SELECT b.trading_date FROM daily_bar AS b WHERE b.symbol = a.symbol AND b.volume > 0
             ORDER BY b.trading_date DESC LIMIT 1),
            (SELECT max(s.trading_day) FROM set_aside AS s JOIN coverage AS c USING (data_set, trading_day, load_id)
             WHERE s.data_set = 'daily_bars' AND s.field IS NULL AND s.symbol = a.symbol)) AS day
        FROM unnest($1::text[]) AS a (symbol)
        """,
        list(symbols),
    )
    return {row["symbol"]: row["day"] for row in rows if row["day"] is not None}


async def read_stored(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, Stored]:
    """Return what is stored of each of *symbols*: whether it is a company's, and whether it trades."""
    rows = await connection.fetch(
        """
        SELECT symbol FROM listed_ticker WHERE symbol = ANY ($1::text[]) AND state <> 'test'
          AND coalesce(ticker_type, listed_figi, listed_share_class_figi, listed_cik) IS NOT NULL
        """,
        list(symbols),
    )
    companies = {row["symbol"] for row in rows}
    newest = await newest_session(connection)
    traded = await last_traded(connection, symbols)
    return {
        symbol: Stored(
            is_company=symbol in companies,
            trades=newest is not None and symbol in traded and traded[symbol] >= newest,
        )
        for symbol in symbols
    }


async def read_states(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, str]:
    """Return the state in the universe of those of *symbols* that it knows."""
    rows = await connection.fetch(
        "SELECT symbol, state FROM listed_ticker WHERE symbol = ANY ($1::text[])", list(symbols)
    )
    return {row["symbol"]: row["state"] for row in rows}
