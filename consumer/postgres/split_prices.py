"""Reads what the vendor lists as splits beside the raw prices around that morning, and jumps that no split explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.splits import split_of
from market.split_check import OvernightPrices, Proof
from market.splits import Split

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool

# A close or a first trade further away than this says nothing about the morning of the split.
_NEAR_DAYS = 10

_COLUMNS = ("symbol", "execution_day", "split_from", "split_to", "kind", "verdict", "company")
_SPLIT = ", ".join(f"s.{name}" for name in _COLUMNS)
_SPLIT_OF_OWNER = ", ".join(f"o.{name}" for name in _COLUMNS)
# $1 is the last day that counts, $2 how many days are near.
_LISTED = f"""
WITH owned AS (
    SELECT {_SPLIT}, coalesce(s.company, s.symbol) AS owner FROM stock_split AS s WHERE s.execution_day <= $1
    UNION
    -- The present company of a symbol that changed hands since, where it was there before under another one.
    SELECT {_SPLIT}, s.symbol AS owner FROM stock_split AS s
    JOIN listed_ticker AS u USING (symbol)
    WHERE s.execution_day <= $1 AND s.execution_day < u.issuer_since AND u.state <> 'renamed'
      AND EXISTS (SELECT FROM company_span AS p WHERE p.company = s.symbol AND p.traded_as <> s.symbol
                  AND s.execution_day BETWEEN p.first_day AND p.last_day)
    UNION
    SELECT {_SPLIT}, p.company AS owner FROM stock_split AS s
    JOIN company_span AS p ON p.traded_as = s.symbol AND s.execution_day BETWEEN p.first_day AND p.last_day
    WHERE s.execution_day <= $1 AND p.last_day <> 'infinity'
), span AS (
    SELECT company, traded_as, first_day, last_day FROM company_span
    UNION ALL
    -- Bars come of symbols that no listing has.
    SELECT owner, owner, '-infinity', 'infinity' FROM owned AS o
    WHERE NOT EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = o.owner) GROUP BY owner
), near AS (
    SELECT o.owner, o.execution_day, p.traded_as, p.first_day, p.last_day
    FROM (SELECT DISTINCT owner, execution_day FROM owned) AS o JOIN span AS p ON p.company = o.owner
),
-- Spans are met by a hash, bars by their index: looked up for each split, all symbols are gone over each time.
before AS (
    SELECT DISTINCT ON (n.owner, n.execution_day) n.owner, n.execution_day, b.close
    FROM near AS n CROSS JOIN LATERAL (
        SELECT d.trading_date, d.close FROM daily_bar AS d
        WHERE d.symbol = n.traded_as AND d.trading_date BETWEEN n.first_day AND n.last_day
          AND d.trading_date < n.execution_day AND d.trading_date >= n.execution_day - $2::integer
        ORDER BY d.trading_date DESC LIMIT 1) AS b
    ORDER BY n.owner, n.execution_day, b.trading_date DESC
), after AS (
    SELECT DISTINCT ON (n.owner, n.execution_day) n.owner, n.execution_day, a.open, a.close
    FROM near AS n CROSS JOIN LATERAL (
        SELECT d.trading_date, d.open, d.close FROM daily_bar AS d
        WHERE d.symbol = n.traded_as AND d.trading_date BETWEEN n.first_day AND n.last_day
          AND d.trading_date >= n.execution_day AND d.trading_date <= n.execution_day + $2::integer
          AND d.trading_date <= $1
        ORDER BY d.trading_date LIMIT 1) AS a
    ORDER BY n.owner, n.execution_day, a.trading_date
)
SELECT {_SPLIT_OF_OWNER}, o.owner, b.close AS close_before, a.open AS open_after, a.close AS close_after
FROM owned AS o
LEFT JOIN before AS b ON b.owner = o.owner AND b.execution_day = o.execution_day
LEFT JOIN after AS a ON a.owner = o.owner AND a.execution_day = o.execution_day
ORDER BY o.owner, o.execution_day, o.split_from, o.split_to, o.symbol
"""


class ListedSplits(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor lists for one symbol and day, and the raw prices around that morning, where there are any."""

    company: str  # the present symbol of whose they may be
    splits: tuple[Split, ...]
    by_symbol: tuple[bool, ...]  # of each: whether it is theirs by the symbol, as far as no price knows better
    proofs: tuple[Proof, ...]
    prices: OvernightPrices | None


async def read_listed(connection: Connection | Pool, *, up_to: dt.date) -> list[ListedSplits]:
    """Return every listed split up to *up_to*, by whose it may be and day, with that company's raw prices around it.

    Most are of one company. Listed under a symbol that has changed hands, a split may be the old company's or the
    present one's: it then stands in two groups.
    """
    rows = await connection.fetch(_LISTED, up_to, _NEAR_DAYS)
    grouped: dict[tuple[str, dt.date], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["owner"], row["execution_day"]), []).append(dict(row))
    return [_listed(group) for group in grouped.values()]


def _listed(rows: Sequence[dict[str, Any]]) -> ListedSplits:
    first = rows[0]
    known = first["close_before"] is not None and first["open_after"] is not None
    return ListedSplits(
        company=first["owner"],
        splits=tuple(split_of(row, symbol=row["symbol"]) for row in rows),
        by_symbol=tuple((row["company"] or row["symbol"]) == row["owner"] for row in rows),
        proofs=tuple(Proof(row["verdict"]) for row in rows),
        prices=OvernightPrices(
            close_before=first["close_before"], open_after=first["open_after"], close_after=first["close_after"]
        )
        if known
        else None,
    )


async def read_jumps(
    connection: Connection | Pool, day: dt.date, before: dt.date, *, factor: float
) -> list[tuple[str, OvernightPrices]]:
    """Return the symbols whose raw price moved by *factor* or more from *before* to *day* without any listed split."""
    rows = await connection.fetch(
        """
        -- Each session by itself: with the statistics of an empty table the view would be joined row by row.
        WITH d AS MATERIALIZED (SELECT symbol, open, close FROM daily_history WHERE trading_date = $1),
             p AS MATERIALIZED (SELECT symbol, close FROM daily_history WHERE trading_date = $2)
        SELECT d.symbol, p.close AS close_before, d.open AS open_after, d.close AS close_after
        FROM d JOIN p USING (symbol)
        WHERE greatest(d.open / p.close, p.close / d.open) >= $3
          AND NOT EXISTS (SELECT FROM stock_split AS s
                          WHERE coalesce(s.company, s.symbol) = d.symbol AND s.execution_day = $1)
        ORDER BY d.symbol
        """,
        day,
        before,
        factor,
    )
    return [
        (row["symbol"], OvernightPrices(**{name: row[name] for name in OvernightPrices.__struct_fields__}))
        for row in rows
    ]
