"""Reads which symbols have a hole of their own: a session that came, with their row set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Connection, Pool


# Whose row a load lost without a name nobody knows: it may be any that traded right before and has none.
_RIGHT_BEFORE = 2  # sessions

_LOST_BY_NAME = """
    SELECT s.trading_day, coalesce(u.symbol, s.symbol) AS symbol
    FROM set_aside AS s
    JOIN coverage AS c USING (data_set, trading_day, load_id)
    LEFT JOIN listed_ticker AS u ON u.market_data_symbol = s.symbol
    WHERE s.data_set = 'daily_bars' AND s.symbol IS NOT NULL AND s.field IS NULL AND s.trading_day BETWEEN $1 AND $2
"""
_LOST_WITHOUT_A_NAME = """
    SELECT n.trading_day, b.symbol
    FROM (SELECT DISTINCT c.trading_day FROM set_aside AS s JOIN coverage AS c USING (data_set, trading_day, load_id)
          WHERE s.data_set = 'daily_bars' AND s.symbol IS NULL AND s.field IS NULL
            AND s.trading_day BETWEEN $1 AND $2) AS n
    CROSS JOIN LATERAL (SELECT p.trading_day FROM coverage AS p
                        WHERE p.data_set = 'daily_bars' AND p.trading_day < n.trading_day
                        ORDER BY p.trading_day DESC LIMIT $3) AS before
    JOIN daily_bar AS b ON b.trading_date = before.trading_day
"""


async def of_symbols(connection: Connection | Pool, *, since: dt.date, up_to: dt.date) -> dict[str, list[dt.date]]:
    """Return the sessions of *since*…*up_to*, ascending, in which a company's row was set aside and none stands.

    By the present symbol. Only what the load that stands set aside counts: a later load of the session replaced it.
    """
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT coalesce(p.company, a.symbol) AS symbol, a.trading_day
        FROM ({_LOST_BY_NAME} UNION {_LOST_WITHOUT_A_NAME}) AS a
        LEFT JOIN company_span AS p
               ON p.traded_as = a.symbol AND a.trading_day BETWEEN p.first_day AND p.last_day
              AND (p.last_day <> 'infinity' OR NOT EXISTS (
                  SELECT FROM company_span AS before WHERE before.traded_as = a.symbol
                  AND before.last_day <> 'infinity' AND a.trading_day BETWEEN before.first_day AND before.last_day))
        WHERE NOT EXISTS (SELECT FROM daily_bar AS b
                          WHERE b.trading_date = a.trading_day AND b.symbol = a.symbol)
        ORDER BY 1, 2
        """,
        since,
        up_to,
        _RIGHT_BEFORE,
    )
    found: dict[str, list[dt.date]] = {}
    for row in rows:
        found.setdefault(row["symbol"], []).append(row["trading_day"])
    return found
