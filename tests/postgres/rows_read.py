"""Counts, by EXPLAIN ANALYZE, how many rows of each relation a statement reads, whatever it gives back."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from consumer.postgres.pool import Connection

_DISCARDED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


async def rows_read(
    connection: Connection | asyncpg.Connection[asyncpg.Record], query: str, arguments: Sequence[object] = ()
) -> Counter[str]:
    """Run *query* and return by relation the rows that its scans went over, those that a filter dropped too."""
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}", *arguments)
    read: Counter[str] = Counter()
    for root in found if isinstance(found, list) else json.loads(found):
        _add(root["Plan"], read)
    return read


def _add(node: dict[str, Any], read: Counter[str]) -> None:
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        rows = node["Actual Rows"] + sum(node.get(name, 0) for name in _DISCARDED)
        read[node["Relation Name"]] += round(rows * node["Actual Loops"])
    for inner in node.get("Plans", ()):
        _add(inner, read)
