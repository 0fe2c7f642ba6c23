"""Stores the vendor's splits, one row a ratio, whose they are, and which of them count: those no price contradicts.

A split may be listed under a company's present symbol or a former one: `company` is the present symbol of whose it is,
null where that is the symbol it is listed under. It counts once, however often and under whichever symbol it is listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    company: str  # the present symbol of whose they may be
    splits: tuple[Split, ...]
    by_symbol: tuple[bool, ...]  # of each: whether it is theirs by the symbol, as far as no price knows better
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
    await assign_companies(connection)
    return len(changed)


async def assign_companies(connection: Connection) -> None:
    """Say of every split whose it is: its symbol's company of that day, wherever that is found now.

    A symbol that nobody has since its company was renamed stands for that company. Where another company has it now,
    and was there before under another symbol, the prices may know better (`store_owners`).
    """
    await connection.execute(
        """
        UPDATE stock_split AS s SET company = o.company
        FROM (
            SELECT s.symbol, s.execution_day, nullif(coalesce(
                (SELECT p.company FROM company_span AS p WHERE p.traded_as = s.symbol AND p.last_day <> 'infinity'
                 AND s.execution_day BETWEEN p.first_day AND p.last_day ORDER BY p.last_day LIMIT 1),
                (SELECT c.new_symbol FROM ticker_change AS c JOIN ticker_universe AS u ON u.symbol = c.symbol
                 WHERE c.symbol = s.symbol AND c.kind = 'renamed' AND c.closed_on IS NULL AND u.state = 'renamed'
                 ORDER BY c.changed_on DESC LIMIT 1)), s.symbol) AS company
            FROM (SELECT DISTINCT symbol, execution_day FROM stock_split) AS s
        ) AS o
        WHERE o.symbol = s.symbol AND o.execution_day = s.execution_day AND s.company IS DISTINCT FROM o.company
          AND s.symbol IN (SELECT symbol FROM ticker_change WHERE kind = 'renamed')
        """
    )


async def store_owners(connection: Connection, owners: Sequence[tuple[Split, str]]) -> None:
    """Store whose these splits are by the prices: (split as listed, present symbol of its company)."""
    await connection.execute(
        "UPDATE stock_split AS s SET company = nullif(o.company, s.symbol) "
        "FROM unnest($1::text[], $2::date[], $3::text[]) AS o (symbol, day, company) "
        "WHERE s.symbol = o.symbol AND s.execution_day = o.day",
        [split.symbol for split, _ in owners], [split.execution_day for split, _ in owners],
        [company for _, company in owners],
    )  # fmt: skip


async def count_splits(connection: Connection | Pool, *, since: dt.date, until: dt.date) -> int:
    query = "SELECT count(*) FROM stock_split WHERE execution_day BETWEEN $1 AND $2"
    return int(await connection.fetchval(query, since, until))


async def read_missing(
    connection: Connection, listed: Sequence[Split], *, since: dt.date, until: dt.date
) -> list[tuple[Split, Verdict]]:
    """Return those of *since*…*until* that a complete list no longer has, with their verdicts."""
    known = {msgspec.structs.replace(split, kind="") for split in listed}
    rows = await connection.fetch("SELECT * FROM stock_split WHERE execution_day BETWEEN $1 AND $2", since, until)
    stored = [(_split(dict(row), symbol=row["symbol"]), Verdict(row["verdict"])) for row in rows]
    return [(split, verdict) for split, verdict in stored if msgspec.structs.replace(split, kind="") not in known]


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
    """Return the splits that count, executed up to *up_to*, by their company's present symbol, in order of day."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (1, 2, 6) coalesce(company, symbol) AS symbol, execution_day, split_from, split_to, kind,
               round(ln(split_from / split_to)::numeric, 9) AS ratio
        FROM stock_split WHERE execution_day <= $1 AND verdict <> 'contradicted' ORDER BY 1, 2, 6, symbol
        """,
        up_to,
    )
    found: dict[str, list[Split]] = {}
    for row in rows:
        found.setdefault(row["symbol"], []).append(_split(dict(row), symbol=row["symbol"]))
    return found


def _split(row: dict[str, Any], *, symbol: str) -> Split:
    return Split(
        symbol=symbol, execution_day=row["execution_day"], split_from=row["split_from"], split_to=row["split_to"],
        kind=row["kind"],
    )  # fmt: skip


async def read_listed(connection: Connection | Pool, *, up_to: dt.date) -> list[ListedSplits]:
    """Return every listed split up to *up_to*, by whose it may be and day, with that company's raw prices around it.

    Most are of one company. Listed under a symbol that has changed hands, a split may be the old company's or the
    present one's: it then stands in two groups.
    """
    rows = await connection.fetch(
        """
        WITH owned AS (
            SELECT s.*, coalesce(s.company, s.symbol) AS owner FROM stock_split AS s WHERE s.execution_day <= $1
            UNION
            -- The present company of a symbol that changed hands since, where it was there before under another one.
            SELECT s.*, s.symbol AS owner FROM stock_split AS s
            JOIN ticker_universe AS u USING (symbol)
            WHERE s.execution_day <= $1 AND s.execution_day < u.issuer_since AND u.state <> 'renamed'
              AND EXISTS (SELECT FROM company_span AS p WHERE p.company = s.symbol AND p.traded_as <> s.symbol
                          AND s.execution_day BETWEEN p.first_day AND p.last_day)
            UNION
            SELECT s.*, p.company AS owner FROM stock_split AS s
            JOIN company_span AS p ON p.traded_as = s.symbol AND s.execution_day BETWEEN p.first_day AND p.last_day
            WHERE s.execution_day <= $1 AND p.last_day <> 'infinity'
        ), span AS (
            SELECT * FROM company_span
            UNION ALL
            -- Bars come of symbols that no listing has.
            SELECT owner, owner, '-infinity', 'infinity' FROM owned AS o
            WHERE NOT EXISTS (SELECT FROM ticker_universe AS u WHERE u.symbol = o.owner) GROUP BY owner
        )
        SELECT o.*, b.close AS close_before, a.open AS open_after, a.close AS close_after
        FROM owned AS o
        LEFT JOIN LATERAL (
            SELECT d.close FROM span AS p JOIN market_data_daily AS d ON d.symbol = p.traded_as
            WHERE p.company = o.owner AND d.trading_date BETWEEN p.first_day AND p.last_day
              AND d.trading_date < o.execution_day AND d.trading_date >= o.execution_day - $2::integer
            ORDER BY d.trading_date DESC LIMIT 1) AS b ON true
        LEFT JOIN LATERAL (
            SELECT d.open, d.close FROM span AS p JOIN market_data_daily AS d ON d.symbol = p.traded_as
            WHERE p.company = o.owner AND d.trading_date BETWEEN p.first_day AND p.last_day
              AND d.trading_date >= o.execution_day AND d.trading_date <= o.execution_day + $2::integer
              AND d.trading_date <= $1
            ORDER BY d.trading_date LIMIT 1) AS a ON true
        ORDER BY o.owner, o.execution_day, o.split_from, o.split_to, o.symbol
        """,
        up_to, _NEAR_DAYS,
    )  # fmt: skip
    grouped: dict[tuple[str, dt.date], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["owner"], row["execution_day"]), []).append(dict(row))
    return [_listed(group) for group in grouped.values()]


def _listed(rows: Sequence[dict[str, Any]]) -> ListedSplits:
    first = rows[0]
    known = first["close_before"] is not None and first["open_after"] is not None
    return ListedSplits(
        company=first["owner"],
        splits=tuple(_split(row, symbol=row["symbol"]) for row in rows),
        by_symbol=tuple((row["company"] or row["symbol"]) == row["owner"] for row in rows),
        verdicts=tuple(Verdict(row["verdict"]) for row in rows),
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
        FROM daily_history AS d
        JOIN daily_history AS p ON p.symbol = d.symbol AND p.trading_date = $2
        WHERE d.trading_date = $1 AND greatest(d.open / p.close, p.close / d.open) >= $3
          AND NOT EXISTS (SELECT FROM stock_split AS s
                          WHERE coalesce(s.company, s.symbol) = d.symbol AND s.execution_day = $1)
        ORDER BY d.symbol
        """,
        day, before, factor,
    )  # fmt: skip
    return [
        (row["symbol"], OvernightPrices(**{name: row[name] for name in OvernightPrices.__struct_fields__}))
        for row in rows
    ]
