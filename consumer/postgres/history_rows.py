"""Reads and writes the rows of a history: spans of a symbol, a table of them for each kind of facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from market.valid_time import Facts, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from consumer.postgres.pool import Connection


class HistoryTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table *name* of spans; each column of facts with its type and what says it at present, in SQL.

    A change of *noted* alone opens no span.
    """

    name: str
    codes: Mapping[str, tuple[str, str]]
    since: tuple[str, str]
    told: Mapping[str, tuple[str, str]]
    noted: Mapping[str, tuple[str, str]] = {}

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """Every column of facts, those that are compared first."""
        return {**self.codes, "issuer_since": self.since, **self.told, **self.noted}

    @property
    def differs(self) -> str:
        """Whether the row `h` that stands, if there is one, says something else than is so at present, as SQL."""
        compared = {name: says for name, (_, says) in self.columns.items() if name not in self.noted}
        present, stands = ", ".join(compared.values()), ", ".join(f"h.{name}" for name in compared)
        return f"(h.symbol IS NULL OR ({present}) IS DISTINCT FROM ({stands}))"

    @property
    def present(self) -> str:
        """The columns of facts as they are at present, as SQL."""
        return ", ".join(f"{says} AS {name}" for name, (_, says) in self.columns.items())

    def facts(self, row: asyncpg.Record) -> Facts:
        """The facts of *row*, which has every column of them."""
        return Facts(
            codes=tuple(row[name] for name in self.codes),
            since=row["issuer_since"],
            told=tuple(row[name] for name in self.told),
            noted=tuple(row[name] for name in self.noted),
        )


async def read_spans(connection: Connection, table: HistoryTable, symbols: Sequence[str]) -> dict[str, list[Span]]:
    """Return what *table* has of each of *symbols*, ascending."""
    rows = await connection.fetch(
        f"SELECT symbol, valid_from, valid_to, {', '.join(table.columns)}, load_id, known_at FROM {table.name} "
        "WHERE symbol = ANY ($1::text[]) ORDER BY symbol, valid_from",
        list(symbols),
    )
    found: dict[str, list[Span]] = defaultdict(list)
    for row in rows:
        known = (row["load_id"], row["known_at"])
        found[row["symbol"]].append(
            Span(first=row["valid_from"], until=row["valid_to"], facts=table.facts(row), known=known)
        )
    return found


async def write_spans(
    connection: Connection,
    table: HistoryTable,
    before: Mapping[str, Sequence[Span]],
    after: Mapping[str, Sequence[Span]],
) -> int:
    """Bring the symbols of *after* from their spans of *before* to those; return how many rows that touched."""
    gone: list[tuple[str, Span]] = []
    come: list[tuple[str, Span]] = []
    for symbol, spans in after.items():
        stood = list(before.get(symbol, ()))
        gone += [(symbol, one) for one in stood if one not in spans]
        come += [(symbol, one) for one in spans if one not in stood]
    if gone:
        await connection.execute(
            f"DELETE FROM {table.name} AS h USING unnest($1::text[], $2::date[]) AS g (symbol, day) "
            "WHERE h.symbol = g.symbol AND h.valid_from = g.day",
            [symbol for symbol, _ in gone],
            [one.first for _, one in gone],
        )
    if come:
        await _insert(connection, table, come)
    return len(gone) + len(come)


async def _insert(connection: Connection, table: HistoryTable, come: Sequence[tuple[str, Span]]) -> None:
    types = ["text", "date", "date", *(kind for kind, _ in table.columns.values()), "bigint", "timestamptz"]
    rows = [
        (symbol, one.first, one.until, *one.facts.codes, one.facts.since, *one.facts.told, *one.facts.noted, *one.known)
        for symbol, one in come
    ]
    columns = ", ".join(["symbol", "valid_from", "valid_to", *table.columns, "load_id", "known_at"])
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=1))
    await connection.execute(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM unnest({arrays}) AS s ({columns})",
        *(list(column) for column in zip(*rows, strict=True)),
    )
