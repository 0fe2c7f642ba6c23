"""Counts, by EXPLAIN ANALYZE, how many rows of each relation a statement reads, whatever it gives back."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from consumer.postgres.pool import Connection

_DISCARDED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


async def rows_read(
    connection: Connection | asyncpg.Connection[asyncpg.Record], query: str, arguments: Sequence[object] = ()
) -> Counter[str]:
    """Run *query* and return by relation the rows that its scans went over, those that a filter dropped too."""
    read: Counter[str] = Counter()
    for relation, rows in await scans(connection, query, arguments):
        read[relation] += rows
    return read


async def scans(
    connection: Connection | asyncpg.Connection[asyncpg.Record], query: str, arguments: Sequence[object] = ()
) -> list[tuple[str, int]]:
    """Run *query* and return (relation, rows gone over) of each of its scans."""
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}", *arguments)
    return [scan for root in json.loads(found) for scan in _scans(root["Plan"])]


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        rows = node["Actual Rows"] + sum(node.get(name, 0) for name in _DISCARDED)
        yield node["Relation Name"], round(rows * node["Actual Loops"])
    for inner in node.get("Plans", ()):
        yield from _scans(inner)
