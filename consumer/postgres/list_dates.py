"""Holds list dates against the bars: one cuts a history only where nobody traded right before it, and the price breaks.

The vendor's list date can be that of a later corporate event. What is decided stands in issuer_since and, with its
reason, in ticker_change; a date that the bars contradict is kept in the metadata and told once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import trading_evidence
from market.companies import Change, Kind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from market.companies import Trading


async def judge_list_dates(
    connection: Connection, symbols: Sequence[str] | None = None, *, now: dt.datetime
) -> list[Change]:
    """Decide those that lie within the stored sessions, of all active symbols or of *symbols*; return what is news.

    A change of kind LISTED that took no bars away is no news: the company is as young as that.
    """
    await _take_back(connection)
    asked = await _datable(connection, symbols)
    trading = await trading_evidence.read_trading(connection, asked)
    news = []
    for symbol, day in asked:
        bars = trading[symbol, day]
        if bars.quiet and bars.close_before is not None and bars.first_from is None:
            continue  # a pause: the price after it tells
        kind, why = _weigh(bars)
        change = Change(symbol=symbol, kind=kind, changed_on=day, evidence=f"its list date, and {why}")
        if await _write_down(connection, change, now=now) and (not bars.quiet or bars.close_before is not None):
            news.append(change)
    return news


async def _datable(connection: Connection, symbols: Sequence[str] | None) -> list[tuple[str, dt.date]]:
    """The symbols with a list date around which there are bars, and that date."""
    only, args = ("", []) if symbols is None else ("AND m.symbol = ANY ($1)", [list(symbols)])
    rows = await connection.fetch(
        f"""
        SELECT m.symbol, m.list_date FROM ticker_profile AS m JOIN listed_ticker AS u USING (symbol)
        WHERE u.is_active AND u.issuer_since IS NULL {only}
          AND m.list_date <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
          AND EXISTS (SELECT FROM coverage AS c WHERE c.data_set = 'daily_bars'
                      AND c.trading_day BETWEEN m.list_date - 14 AND m.list_date - 1)
        ORDER BY m.symbol
        """,
        *args,
    )
    return [(row["symbol"], row["list_date"]) for row in rows]


def _weigh(bars: Trading) -> tuple[Kind, str]:
    if not bars.quiet:
        return Kind.CONTESTED, "it traded before"
    if bars.breaks:
        return Kind.LISTED, "nobody traded before"
    return Kind.CONTESTED, "the price goes on after a pause"


async def _write_down(connection: Connection, change: Change, *, now: dt.datetime) -> bool:
    if change.kind is Kind.LISTED:
        await connection.execute(
            "UPDATE listed_ticker SET issuer_since = $2 WHERE symbol = $1", change.symbol, change.changed_on
        )
    written = await connection.fetchval(
        "INSERT INTO ticker_change (symbol, changed_on, kind, evidence, found_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        change.symbol,
        change.changed_on,
        str(change.kind),
        change.evidence,
        now,
    )
    if change.kind is Kind.LISTED:
        await _forget_all_slots_before(connection, change.symbol, change.changed_on)
    return written is not None


async def forget_slots_of_nobody(connection: Connection, days: Sequence[dt.date]) -> None:
    """Delete "no trades" of those of *days* before a symbol was listed at all, asked for before that was known."""
    await connection.execute(
        """
        DELETE FROM session_slots AS s USING listed_ticker AS u, ticker_change AS c
        WHERE u.symbol = s.symbol AND c.symbol = s.symbol AND c.kind = 'listed' AND c.changed_on = u.issuer_since
          AND s.trading_date = ANY ($1) AND s.trading_date < u.issuer_since AND s.outcome <> 'traded'
        """,
        list(days),
    )


async def _forget_all_slots_before(connection: Connection, symbol: str, listed_on: dt.date) -> None:
    # Session by session, by the key: it begins with the day, and of a symbol alone it would be gone over whole.
    await connection.execute(
        """
        DELETE FROM session_slots
        WHERE trading_date = ANY (ARRAY(SELECT DISTINCT trading_day FROM coverage WHERE trading_day < $2::date))
          AND symbol = $1 AND outcome <> 'traded'
        """,
        symbol,
        listed_on,
    )


async def _take_back(connection: Connection) -> None:
    """Where the vendor has corrected a list date to an earlier day, what it once cut is the company's own again."""
    await connection.execute(
        """
        WITH undone AS (
            DELETE FROM ticker_change AS c USING listed_ticker AS u, ticker_profile AS m
            WHERE c.kind = 'listed' AND u.symbol = c.symbol AND m.symbol = c.symbol
              AND u.issuer_since = c.changed_on AND m.list_date < c.changed_on
            RETURNING c.symbol
        )
        UPDATE listed_ticker AS u SET issuer_since = NULL FROM undone WHERE u.symbol = undone.symbol
        """
    )


async def date_reissues(connection: Connection, dates: Sequence[tuple[str, dt.date | None]]) -> None:
    """A reissued symbol is its new company's from its list date on, where that lies between the two listings.

    The one showed the old company, the other the new one; what happened in between only the list date tells.
    """
    await connection.execute(
        """
        UPDATE listed_ticker AS u SET issuer_since = d.day
        FROM unnest($1::text[], $2::date[]) AS d (symbol, day)
        JOIN ticker_change AS c ON c.symbol = d.symbol AND c.kind = 'reissued'
        WHERE u.symbol = d.symbol AND u.issuer_since >= c.changed_on AND d.day > u.issuer_since
          AND d.day <= coalesce(c.listed_on, u.last_seen)
          AND NOT EXISTS (SELECT FROM ticker_change AS r WHERE r.kind = 'renamed' AND r.new_symbol = d.symbol
                          AND r.closed_on IS NULL AND r.changed_on >= c.changed_on)
        """,
        [symbol for symbol, _ in dates],
        [day for _, day in dates],
    )
