"""Stores the vendor's splits, one row a ratio, and which of them count: those the prices do not contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from market.split_check import OvernightPrices, Verdict
from market.splits import Split

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool

# A close or a first trade further away than this says nothing about the morning of the split.
_NEAR_DAYS = 10


class ListedSplits(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor lists for one symbol and day, and the raw prices around that morning, where there are any."""

    splits: tuple[Split, ...]
    verdicts: tuple[Verdict, ...]
    prices: OvernightPrices | None


async def upsert_splits(connection: Connection, splits: Sequence[Split], *, load_id: int, now: dt.datetime) -> int:
    """Store *splits* and return how many were new or changed."""
    changed = await connection.fetch(
        """
        INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id, first_listed_at)
        SELECT symbol, execution_day, split_from, split_to, kind, $6, $7
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::text[])
             AS s (symbol, execution_day, split_from, split_to, kind)
        ON CONFLICT (symbol, execution_day, split_from, split_to) DO UPDATE
            SET kind = excluded.kind, load_id = excluded.load_id WHERE stock_split.kind <> excluded.kind
        RETURNING symbol
        """,
        [s.symbol for s in splits], [s.execution_day for s in splits], [s.split_from for s in splits],
        [s.split_to for s in splits], [s.kind for s in splits], load_id, now,
    )  # fmt: skip
    return len(changed)


async def count_splits(connection: Connection | Pool, *, since: dt.date, until: dt.date) -> int:
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM stock_split WHERE execution_day BETWEEN $1 AND $2", since, until
        )
    )


async def withdraw_splits(
    connection: Connection, listed: Sequence[Split], *, since: dt.date, until: dt.date
) -> list[tuple[str, dt.date]]:
    """Remove those of *since*…*until* that a complete list no longer has, and return (symbol, day) of them."""
    rows = await connection.fetch(
        """
        DELETE FROM stock_split AS s WHERE s.execution_day BETWEEN $1 AND $2 AND NOT EXISTS (
            SELECT FROM unnest($3::text[], $4::date[], $5::float8[], $6::float8[]) AS l (symbol, day, f, t)
            WHERE l.symbol = s.symbol AND l.day = s.execution_day AND l.f = s.split_from AND l.t = s.split_to)
        RETURNING s.symbol, s.execution_day
        """,
        since, until, [s.symbol for s in listed], [s.execution_day for s in listed], [s.split_from for s in listed],
        [s.split_to for s in listed],
    )  # fmt: skip
    return sorted((row["symbol"], row["execution_day"]) for row in rows)


async def read_splits(connection: Connection | Pool, *, up_to: dt.date) -> dict[str, list[Split]]:
    """Return the splits that count, executed up to *up_to*, per symbol in order of their day."""
    rows = await connection.fetch(
        "SELECT symbol, execution_day, split_from, split_to, kind FROM stock_split WHERE execution_day <= $1 "
        "AND verdict <> 'contradicted' ORDER BY symbol, execution_day",
        up_to,
    )
    found: dict[str, list[Split]] = {}
    for row in rows:
        found.setdefault(row["symbol"], []).append(Split(**dict(row)))
    return found


async def read_listed(connection: Connection | Pool, *, up_to: dt.date) -> list[ListedSplits]:
    """Return every listed split up to *up_to*, by symbol and day, with the raw prices of that company around it."""
    rows = await connection.fetch(
        """
        WITH own AS (
            SELECT s.symbol, s.execution_day, u.issuer_since,
                   array_agg(c.symbol) FILTER (WHERE c.symbol IS NOT NULL) AS old_symbols
            FROM (SELECT DISTINCT symbol, execution_day FROM stock_split WHERE execution_day <= $1) AS s
            LEFT JOIN ticker_universe AS u USING (symbol)
            LEFT JOIN ticker_change AS c ON c.kind = 'renamed' AND c.new_symbol = s.symbol
            GROUP BY s.symbol, s.execution_day, u.issuer_since
        )
        SELECT s.symbol, s.execution_day, s.split_from, s.split_to, s.kind, s.verdict, b.close AS close_before,
               a.open AS open_after, a.close AS close_after
        FROM stock_split AS s JOIN own AS o USING (symbol, execution_day)
        LEFT JOIN LATERAL (
            SELECT d.close FROM market_data_daily AS d
            WHERE d.symbol = ANY (array_append(o.old_symbols, o.symbol))
              AND d.trading_date < o.execution_day AND d.trading_date >= o.execution_day - $2::integer
              AND (d.symbol <> o.symbol OR d.trading_date >= coalesce(o.issuer_since, '-infinity'))
            ORDER BY d.trading_date DESC LIMIT 1) AS b ON true
        LEFT JOIN LATERAL (
            SELECT d.open, d.close FROM market_data_daily AS d
            WHERE d.symbol = ANY (array_append(o.old_symbols, o.symbol))
              AND d.trading_date >= o.execution_day AND d.trading_date <= o.execution_day + $2::integer
              AND d.trading_date <= $1
            ORDER BY d.trading_date LIMIT 1) AS a ON true
        ORDER BY s.symbol, s.execution_day, s.split_from, s.split_to
        """,
        up_to, _NEAR_DAYS,
    )  # fmt: skip
    grouped: dict[tuple[str, dt.date], list[object]] = {}
    for row in rows:
        grouped.setdefault((row["symbol"], row["execution_day"]), []).append(row)
    return [_listed(group) for group in grouped.values()]


def _listed(rows: Sequence[object]) -> ListedSplits:
    records = [dict(row) for row in rows]  # type: ignore[call-overload]
    first = records[0]
    known = first["close_before"] is not None and first["open_after"] is not None
    return ListedSplits(
        splits=tuple(
            Split(**{name: r[name] for name in ("symbol", "execution_day", "split_from", "split_to", "kind")})
            for r in records
        ),
        verdicts=tuple(Verdict(r["verdict"]) for r in records),
        prices=OvernightPrices(
            close_before=first["close_before"], open_after=first["open_after"], close_after=first["close_after"]
        )
        if known
        else None,
    )


async def store_verdicts(connection: Connection, judged: Sequence[tuple[Split, Verdict, float | None]]) -> int:
    """Store (split, verdict, price ratio) and return how many verdicts changed."""
    rows = await connection.fetch(
        """
        UPDATE stock_split AS s SET verdict = j.verdict, price_ratio = j.ratio
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::text[], $6::float8[])
             AS j (symbol, day, f, t, verdict, ratio)
        WHERE s.symbol = j.symbol AND s.execution_day = j.day AND s.split_from = j.f AND s.split_to = j.t
          AND (s.verdict <> j.verdict OR s.price_ratio IS DISTINCT FROM j.ratio)
        RETURNING s.symbol
        """,
        [s.symbol for s, _, _ in judged], [s.execution_day for s, _, _ in judged],
        [s.split_from for s, _, _ in judged], [s.split_to for s, _, _ in judged],
        [str(verdict) for _, verdict, _ in judged], [ratio for _, _, ratio in judged],
    )  # fmt: skip
    return len(rows)


async def read_jumps(
    connection: Connection | Pool, day: dt.date, before: dt.date, *, factor: float
) -> list[tuple[str, OvernightPrices]]:
    """Return the symbols whose raw price moved by *factor* or more from *before* to *day* without any listed split."""
    rows = await connection.fetch(
        """
        SELECT d.symbol, p.close AS close_before, d.open AS open_after, d.close AS close_after
        FROM market_data_daily AS d
        JOIN market_data_daily AS p ON p.symbol = d.symbol AND p.trading_date = $2
        LEFT JOIN ticker_universe AS u ON u.symbol = d.symbol
        WHERE d.trading_date = $1 AND greatest(d.open / p.close, p.close / d.open) >= $3
          AND coalesce(u.issuer_since, '-infinity') <= $2
          AND NOT EXISTS (SELECT FROM stock_split AS s WHERE s.symbol = d.symbol AND s.execution_day = $1)
        ORDER BY d.symbol
        """,
        day, before, factor,
    )  # fmt: skip
    return [
        (row["symbol"], OvernightPrices(**{name: row[name] for name in OvernightPrices.__struct_fields__}))
        for row in rows
    ]
