"""Stores the vendor's splits, one row a ratio, whose they are, and which of them count: those no price contradicts.

A split may be listed under a company's present symbol or a former one: `company` is the present symbol of whose it is,
null where that is the symbol it is listed under. It counts once, however often and under whichever symbol it is listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres import whose
from market.split_check import Proof
from market.splits import Split

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool


async def upsert_splits(connection: Connection, splits: Sequence[Split], *, load_id: int, now: dt.datetime) -> int:
    """Store *splits* and return how many were new or changed."""
    # One that is listed again, and called the same, keeps the load that first brought it.
    changed = await connection.fetch(
        """
        INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id, first_listed_at)
        SELECT symbol, execution_day, split_from, split_to, kind, $6, $7
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::text[])
             AS s (symbol, execution_day, split_from, split_to, kind)
        -- Each night lists those of all stored sessions, and nearly all stand: read once, not looked up one by one.
        WHERE NOT EXISTS (SELECT FROM stock_split AS k WHERE k.symbol = s.symbol AND k.execution_day = s.execution_day
                          AND k.split_from = s.split_from AND k.split_to = s.split_to AND k.kind = s.kind)
        ON CONFLICT (symbol, execution_day, split_from, split_to) DO UPDATE
            SET kind = excluded.kind, load_id = excluded.load_id WHERE stock_split.kind <> excluded.kind
        RETURNING symbol
        """,
        [s.symbol for s in splits],
        [s.execution_day for s in splits],
        [s.split_from for s in splits],
        [s.split_to for s in splits],
        [s.kind for s in splits],
        load_id,
        now,
    )
    await assign_companies(connection)
    return len(changed)


async def assign_companies(connection: Connection) -> None:
    """Say of every split whose it is, by its symbol.

    Where another company has that now, and was there before under another one, the prices may know better
    (`store_owners`).
    """
    await whose.assign_companies(connection, table="stock_split", day="execution_day")


async def store_owners(connection: Connection, owners: Sequence[tuple[Split, str]]) -> None:
    """Store whose these splits are by the prices: (split as listed, present symbol of its company)."""
    await connection.execute(
        "UPDATE stock_split AS s SET company = nullif(o.company, s.symbol) "
        "FROM unnest($1::text[], $2::date[], $3::text[]) AS o (symbol, day, company) "
        "WHERE s.symbol = o.symbol AND s.execution_day = o.day "
        "AND s.company IS DISTINCT FROM nullif(o.company, s.symbol)",
        [split.symbol for split, _ in owners],
        [split.execution_day for split, _ in owners],
        [company for _, company in owners],
    )


async def count_splits(connection: Connection | Pool, *, since: dt.date, until: dt.date) -> int:
    query = "SELECT count(*) FROM stock_split WHERE execution_day BETWEEN $1 AND $2"
    return int(await connection.fetchval(query, since, until))


async def read_missing(
    connection: Connection, listed: Sequence[Split], *, since: dt.date, until: dt.date
) -> list[tuple[Split, Proof]]:
    """Return those of *since*…*until* that a complete list no longer has, with their proofs."""
    known = {msgspec.structs.replace(split, kind="") for split in listed}
    rows = await connection.fetch(
        "SELECT symbol, execution_day, split_from, split_to, kind, verdict FROM stock_split "
        "WHERE execution_day BETWEEN $1 AND $2",
        since,
        until,
    )
    stored = [(split_of(dict(row), symbol=row["symbol"]), Proof(row["verdict"])) for row in rows]
    return [(split, proof) for split, proof in stored if msgspec.structs.replace(split, kind="") not in known]


async def withdraw_splits(
    connection: Connection, listed: Sequence[Split], *, since: dt.date, until: dt.date
) -> list[tuple[str, dt.date]]:
    """Remove those of *since*…*until* that a complete list no longer has, and return (symbol, day) of them."""
    # Floats are compared exactly: what is stored is what was listed, bit for bit.
    rows = await connection.fetch(
        """
        DELETE FROM stock_split AS s WHERE s.execution_day BETWEEN $1 AND $2 AND NOT EXISTS (
            SELECT FROM unnest($3::text[], $4::date[], $5::float8[], $6::float8[]) AS l (symbol, day, f, t)
            WHERE l.symbol = s.symbol AND l.day = s.execution_day AND l.f = s.split_from AND l.t = s.split_to)
        RETURNING s.symbol, s.execution_day
        """,
        since,
        until,
        [s.symbol for s in listed],
        [s.execution_day for s in listed],
        [s.split_from for s in listed],
        [s.split_to for s in listed],
    )
    return sorted((row["symbol"], row["execution_day"]) for row in rows)


async def read_splits(connection: Connection | Pool, *, after: dt.date, up_to: dt.date) -> dict[str, list[Split]]:
    """Return the splits that count, by their company's present symbol, in order of day.

    Those executed after *after*, up to *up_to*: what moves a figure of bars of which *after* is the first day.
    """
    # One split a ratio and day: 1 for 2 under the old symbol and 2 for 4 under the new one are the same, which the
    # logarithm of the ratio, rounded, tells of floats that differ in their last bits.
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (1, 2, 6) coalesce(company, symbol) AS symbol, execution_day, split_from, split_to, kind,
               round(ln(split_from / split_to)::numeric, 9) AS ratio
        FROM stock_split WHERE execution_day > $1 AND execution_day <= $2 AND verdict <> 'contradicted'
        ORDER BY 1, 2, 6, symbol
        """,
        after,
        up_to,
    )
    found: dict[str, list[Split]] = {}
    for row in rows:
        found.setdefault(row["symbol"], []).append(split_of(dict(row), symbol=row["symbol"]))
    return found


def split_of(row: dict[str, Any], *, symbol: str) -> Split:
    """Return the split of a row of `stock_split`, as if it were listed under *symbol*."""
    return Split(
        symbol=symbol,
        execution_day=row["execution_day"],
        split_from=row["split_from"],
        split_to=row["split_to"],
        kind=row["kind"],
    )


async def store_proofs(connection: Connection, judged: Sequence[tuple[Split, Proof, float | None]]) -> int:
    """Store (split, proof, price ratio) and return how many proofs changed."""
    rows = await connection.fetch(
        """
        UPDATE stock_split AS s SET verdict = j.verdict, price_ratio = j.ratio
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::text[], $6::float8[])
             AS j (symbol, day, f, t, verdict, ratio)
        WHERE s.symbol = j.symbol AND s.execution_day = j.day AND s.split_from = j.f AND s.split_to = j.t
          AND (s.verdict <> j.verdict OR s.price_ratio IS DISTINCT FROM j.ratio)
        RETURNING s.symbol
        """,
        [s.symbol for s, _, _ in judged],
        [s.execution_day for s, _, _ in judged],
        [s.split_from for s, _, _ in judged],
        [s.split_to for s, _, _ in judged],
        [str(proof) for _, proof, _ in judged],
        [ratio for _, _, ratio in judged],
    )
    return len(rows)
