"""Stores the vendor's cash dividends, one row a payment, and whose they are; what stands as it is, is not written.

A dividend may be listed under a company's present symbol or a former one: `company` is the present symbol of whose it
is, null where that is the symbol it is listed under.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.postgres import whose
from consumer.postgres.dividend_factors import forget_factors
from market.dividend_check import Sight
from market.dividends import Dividend

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

#: By the columns of `stock_dividend` what a Dividend calls them; the first five are its key.
COLUMNS = {
    "symbol": "symbol",
    "ex_dividend_day": "ex_day",
    "cash_amount": "amount",
    "currency": "currency",
    "distribution_type": "kind",
    "declared_day": "declared_day",
    "record_day": "record_day",
    "pay_day": "pay_day",
    "frequency": "frequency",
    "vendor_id": "vendor_id",
}
_LISTED = (
    "unnest($1::text[], $2::date[], $3::float8[], $4::text[], $5::text[], $6::date[], $7::date[], $8::date[], "
    f"$9::integer[], $10::text[]) AS l ({', '.join(COLUMNS)})"
)
_KEY = tuple(COLUMNS)[:5]
_OTHERS = tuple(COLUMNS)[5:]
# Floats are compared exactly: what is stored is what was listed, bit for bit.
_SAME_KEY = " AND ".join(f"k.{name} = l.{name}" for name in _KEY)
_SAME_OTHERS = " AND ".join(f"k.{name} IS NOT DISTINCT FROM l.{name}" for name in _OTHERS)
_UPSERT = f"""
    INSERT INTO stock_dividend AS d ({", ".join(COLUMNS)}, load_id, first_listed_at)
    SELECT {", ".join(f"l.{name}" for name in COLUMNS)}, $11, $12 FROM {_LISTED}
    -- Each night lists those of all stored sessions, and nearly all stand: read once, not looked up one by one.
    WHERE NOT EXISTS (SELECT FROM stock_dividend AS k WHERE {_SAME_KEY} AND {_SAME_OTHERS})
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE
        SET {", ".join(f"{name} = excluded.{name}" for name in _OTHERS)}, load_id = excluded.load_id
    RETURNING d.symbol
"""


async def upsert_dividends(
    connection: Connection, listed: Sequence[Dividend], *, load_id: int, now: dt.datetime
) -> int:
    """Store *listed* and return how many were new or changed; one that stands as it is keeps its load."""
    values = [[getattr(one, name) for one in listed] for name in COLUMNS.values()]
    changed = await connection.fetch(_UPSERT, *values, load_id, now)
    await assign_companies(connection)
    if changed:
        rows = await connection.fetch(
            "SELECT coalesce(company, symbol) AS company, ex_dividend_day FROM stock_dividend WHERE load_id = $1",
            load_id,
        )
        await forget_factors(connection, [tuple(row) for row in rows], load_id=load_id)
    return len(changed)


async def assign_companies(connection: Connection) -> None:
    """Say of every dividend whose it is, by its symbol."""
    await whose.assign_companies(connection, table="stock_dividend", day="ex_dividend_day")


async def read_stored(connection: Connection, *, since: dt.date, until: dt.date) -> list[tuple[Dividend, Sight]]:
    """Return those with an ex-day of *since*…*until*, with what the price says of them."""
    rows = await connection.fetch(
        f"SELECT {', '.join(COLUMNS)}, verdict FROM stock_dividend WHERE ex_dividend_day BETWEEN $1 AND $2",
        since,
        until,
    )
    return [(dividend_of(dict(row)), Sight(row["verdict"])) for row in rows]


async def withdraw_dividends(connection: Connection, gone: Sequence[Dividend], *, load_id: int) -> None:
    """Remove these; what they took off the closes before them is not known until the next check."""
    if not gone:
        return
    keys = [[getattr(one, COLUMNS[name]) for one in gone] for name in _KEY]
    rows = await connection.fetch(
        "DELETE FROM stock_dividend AS k USING unnest($1::text[], $2::date[], $3::float8[], $4::text[], $5::text[]) "
        f"AS l ({', '.join(_KEY)}) WHERE {_SAME_KEY} RETURNING coalesce(k.company, k.symbol), k.ex_dividend_day",
        *keys,
    )
    await forget_factors(connection, [tuple(row) for row in rows], load_id=load_id)


async def store_sights(connection: Connection, judged: Sequence[tuple[Dividend, Sight, float | None]]) -> None:
    """Store of each dividend whether its price shows it, and by how much that fell; what is so already stays."""
    keys = [[getattr(one, COLUMNS[name]) for one, _, _ in judged] for name in _KEY]
    await connection.execute(
        f"""
        UPDATE stock_dividend AS k SET verdict = l.verdict, price_drop = l.price_drop
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::text[], $5::text[], $6::text[], $7::float8[])
             AS l ({", ".join(_KEY)}, verdict, price_drop)
        WHERE {_SAME_KEY} AND (k.verdict <> l.verdict OR k.price_drop IS DISTINCT FROM l.price_drop)
        """,
        *keys,
        [sight.value for _, sight, _ in judged],
        [drop for _, _, drop in judged],
    )


def dividend_of(row: dict[str, Any]) -> Dividend:
    """Return the dividend of a row of `stock_dividend`."""
    return Dividend(**{attribute: row[name] for name, attribute in COLUMNS.items()})
