"""Says whose an event of a symbol is: a split, a dividend; by the company that had the symbol on that day."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

_ASSIGN = """
    UPDATE {table} AS s SET company = o.company
    FROM (
        SELECT s.symbol, s.{day}, nullif(coalesce(
            (SELECT p.company FROM company_span AS p WHERE p.traded_as = s.symbol AND p.last_day <> 'infinity'
             AND s.{day} BETWEEN p.first_day AND p.last_day ORDER BY p.last_day LIMIT 1),
            (SELECT c.new_symbol FROM ticker_change AS c JOIN listed_ticker AS u ON u.symbol = c.symbol
             WHERE c.symbol = s.symbol AND c.kind = 'renamed' AND c.closed_on IS NULL AND u.state = 'renamed'
             ORDER BY c.changed_on DESC LIMIT 1)), s.symbol) AS company
        FROM (SELECT DISTINCT symbol, {day} FROM {table}
              WHERE symbol IN (SELECT symbol FROM ticker_change WHERE kind = 'renamed')) AS s
    ) AS o
    WHERE o.symbol = s.symbol AND o.{day} = s.{day} AND s.company IS DISTINCT FROM o.company
"""


async def assign_companies(connection: Connection, *, table: str, day: str) -> None:
    """Say of every row of *table* whose it is: its symbol's company of *day*, wherever that is found now.

    A symbol that nobody has since its company was renamed stands for that company.
    """
    await connection.execute(_ASSIGN.format(table=table, day=day))
