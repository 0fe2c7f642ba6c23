"""Reads dividends beside the raw prices around their ex-day: the last close before it, and the first bar from it on."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.dividends import COLUMNS, dividend_of
from contract import data_sets
from market.dividends import Dividend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

#: A close or a first trade further away than this says nothing about the ex-day.
NEAR_DAYS = 10
#: How many nights before an ex-day are asked how much the share moves over one.
NIGHTS = 20
#: A part's instant is taken at its beginning, and its rows are seen once it has ended: no part lasts as long as this.
_LONGEST_PART = dt.timedelta(days=1)

# One that was worked out without a close before is not asked for prices each night for ever: bars of before it make it
# due by $4. Where one is near, under whichever of its symbols, a session between lacks, and that is told every night.
_PRICELESS = """f.close_before IS NULL AND f.paid > 0 AND NOT EXISTS (
                        SELECT FROM daily_bar AS b WHERE b.symbol = ANY (f.symbol || ARRAY(
                            SELECT p.traded_as FROM company_span AS p WHERE p.company = f.symbol))
                        AND b.trading_date BETWEEN d.ex_dividend_day - $2::integer AND d.ex_dividend_day - 1)"""
# $1 is the last day that counts, $2 how many days are near. Looked at is everything where $3 says so; or else what bars
# from the day $4 on may be near to ('infinity', for none, stays that), what has no factor, what a split was, or is,
# executed beside, and where $5 says so who changed symbols.
_AROUND = f"""
WITH due AS (
    SELECT DISTINCT coalesce(d.company, d.symbol) AS owner, d.ex_dividend_day AS day FROM stock_dividend AS d
    WHERE d.ex_dividend_day <= $1 AND ($3 OR d.ex_dividend_day >= $4::date - $2::integer
        OR NOT EXISTS (SELECT FROM dividend_factor AS f WHERE f.symbol = coalesce(d.company, d.symbol)
                   AND f.ex_dividend_day = d.ex_dividend_day AND f.split_factor = 1
                   AND (f.factor IS NOT NULL OR {_PRICELESS}))
        OR EXISTS (SELECT FROM stock_split AS s WHERE coalesce(s.company, s.symbol) = coalesce(d.company, d.symbol)
                   AND s.execution_day BETWEEN d.ex_dividend_day - $2::integer AND d.ex_dividend_day)
        OR ($5 AND coalesce(d.company, d.symbol) IN (
            SELECT symbol FROM ticker_change UNION SELECT new_symbol FROM ticker_change WHERE new_symbol IS NOT NULL
            UNION SELECT symbol FROM listed_ticker WHERE issuer_since IS NOT NULL)))
), span AS (
    SELECT company, traded_as, first_day, last_day FROM company_span
    UNION ALL
    -- Bars come of symbols that no listing has.
    SELECT owner, owner, '-infinity', 'infinity' FROM due AS o
    WHERE NOT EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = o.owner) GROUP BY owner
), near AS (
    SELECT o.owner, o.day, p.traded_as, p.first_day, p.last_day FROM due AS o JOIN span AS p ON p.company = o.owner
), before AS (
    SELECT DISTINCT ON (n.owner, n.day) n.owner, n.day, b.trading_date, b.close
    FROM near AS n CROSS JOIN LATERAL (
        SELECT d.trading_date, d.close FROM daily_bar AS d
        WHERE d.symbol = n.traded_as AND d.trading_date BETWEEN n.first_day AND n.last_day AND d.trading_date < n.day
        ORDER BY d.trading_date DESC LIMIT 1) AS b
    ORDER BY n.owner, n.day, b.trading_date DESC
), after AS (
    SELECT DISTINCT ON (n.owner, n.day) n.owner, n.day, a.open, a.close
    FROM near AS n CROSS JOIN LATERAL (
        SELECT d.trading_date, d.open, d.close FROM daily_bar AS d
        WHERE d.symbol = n.traded_as AND d.trading_date BETWEEN n.first_day AND n.last_day
          AND d.trading_date >= n.day AND d.trading_date <= least(n.day + $2::integer, $1)
        ORDER BY d.trading_date LIMIT 1) AS a
    ORDER BY n.owner, n.day, a.trading_date
)
SELECT {", ".join(f"d.{name}" for name in COLUMNS)}, o.owner, b.trading_date AS day_before, b.close AS close_before,
       a.open AS open_after, a.close AS close_after,
       (SELECT coalesce(exp(sum(one.ratio)), 1) FROM (
            SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
            WHERE coalesce(s.company, s.symbol) = o.owner AND s.verdict <> 'contradicted'
              AND s.execution_day > b.trading_date AND s.execution_day <= o.day
            GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)) AS one) AS split_factor
FROM due AS o
JOIN stock_dividend AS d ON coalesce(d.company, d.symbol) = o.owner AND d.ex_dividend_day = o.day
LEFT JOIN before AS b ON b.owner = o.owner AND b.day = o.day
LEFT JOIN after AS a ON a.owner = o.owner AND a.day = o.day
ORDER BY o.owner, o.day, d.symbol
"""
_NIGHTS = """
SELECT n.owner, n.day, array_agg(p.open / p.before) AS ratios
FROM unnest($1::text[], $2::date[]) AS n (owner, day) CROSS JOIN LATERAL (
    SELECT b.open, lag(b.close) OVER (ORDER BY b.trading_date) AS before FROM (
        SELECT h.trading_date, h.open, h.close FROM (
            SELECT company, traded_as, first_day, last_day FROM company_span WHERE company = n.owner
            UNION SELECT n.owner, n.owner, '-infinity', 'infinity'
            WHERE NOT EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = n.owner)) AS s
        JOIN daily_bar AS h ON h.symbol = s.traded_as AND h.trading_date BETWEEN s.first_day AND s.last_day
        WHERE h.trading_date < n.day AND h.trading_date >= n.day - 2 * $3::integer
        ORDER BY h.trading_date DESC LIMIT $3 + 1) AS b) AS p
WHERE p.before IS NOT NULL GROUP BY n.owner, n.day
"""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be looked at again: *everything*, or from the ex-day *since* on.

    *renamed*: and every company that has ever changed its symbol, as it has just been found whose one is.
    """

    everything: bool = False
    renamed: bool = False
    since: dt.date = dt.date.max


class AroundExDay(msgspec.Struct, frozen=True, kw_only=True):
    """One company's dividends of one ex-day, with the raw prices around it, where there are any.

    *close_before* is of *day_before*; *split_factor* is of the splits executed after that, up to the ex-day.
    """

    company: str
    ex_day: dt.date
    dividends: tuple[Dividend, ...]
    day_before: dt.date | None
    close_before: float | None
    open_after: float | None
    close_after: float | None
    split_factor: float


async def changed_since_check(connection: Connection) -> Again:
    """Say what may have become another since dividends were last held against prices."""
    last = await connection.fetchval(
        "SELECT fetched_at FROM coverage WHERE data_set = $1 ORDER BY fetched_at DESC, load_id DESC LIMIT 1",
        data_sets.DIVIDEND_CHECK,
    )
    if last is None:
        return Again(everything=True)
    newer = await connection.fetch(
        "SELECT data_set, min(trading_day) AS day FROM coverage WHERE data_set = ANY ($1) AND fetched_at >= $2 "
        "GROUP BY data_set",
        [data_sets.DAILY_BARS, data_sets.TAKEN, data_sets.IDENTITY],
        last - _LONGEST_PART,
    )
    first = {row["data_set"]: row["day"] for row in newer}
    renamed = first.pop(data_sets.IDENTITY, None) is not None
    return Again(renamed=renamed, since=min(first.values(), default=dt.date.max))


async def read_around(connection: Connection, again: Again, *, up_to: dt.date) -> list[AroundExDay]:
    """Return the ex-days up to *up_to* that are to be looked at, each by whose it is."""
    rows = await connection.fetch(_AROUND, up_to, NEAR_DAYS, again.everything, again.since, again.renamed)
    grouped: dict[tuple[str, dt.date], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["owner"], row["ex_dividend_day"]), []).append(dict(row))
    return [_around(group) for group in grouped.values()]


def _around(rows: Sequence[dict[str, Any]]) -> AroundExDay:
    first = rows[0]
    return AroundExDay(
        company=first["owner"],
        ex_day=first["ex_dividend_day"],
        dividends=tuple(dividend_of(row) for row in rows),
        **{name: first[name] for name in AroundExDay.__struct_fields__[3:]},
    )


async def read_nights(
    connection: Connection, ex_days: Sequence[tuple[str, dt.date]]
) -> dict[tuple[str, dt.date], list[float]]:
    """Return, by company and ex-day, opens over closes before of the nights before it, at most NIGHTS."""
    if not ex_days:
        return {}
    rows = await connection.fetch(_NIGHTS, [one for one, _ in ex_days], [day for _, day in ex_days], NIGHTS)
    return {(row["owner"], row["day"]): row["ratios"] for row in rows}
