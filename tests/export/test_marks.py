"""A follower's look at the ledger goes over its tables once, and whatever changes a session gives it another mark."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres.exported import marks
from consumer.postgres.pool import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Connection

FIRST = dt.date(2025, 1, 6)
STORED = 400
FOLLOWED = tuple(FIRST + dt.timedelta(days=back) for back in range(50))
DAY, OTHER = FOLLOWED[:2]
RESTATED = (
    "INSERT INTO restatement (data_set, trading_day, symbol, change, load_id, found_at) "
    "VALUES ('volume_slots', $1, 'AAPL', 'changed', $2, now())"
)


@pytest.fixture
async def connection(migrated_dsn: str) -> AsyncIterator[Connection]:
    """To a ledger of many sessions, with three data sets and a cache each, and one restatement."""
    async with (
        await open_pool(migrated_dsn, lease=dt.timedelta(seconds=10), size=2) as pool,
        pool.acquire() as connection,
    ):
        await connection.execute(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
            "SELECT name, $1::date + n, 1, now(), 1 FROM generate_series(0, $2::int) AS n, "
            "unnest(ARRAY['daily_bars', 'atr', 'slot_proof', 'cache:atr']) AS name",
            FIRST,
            STORED - 1,
        )
        await connection.execute(
            "INSERT INTO session_condition (trading_day, condition, state, reason, state_since, judged_at, data_sets) "
            "SELECT $1::date + n, 'available', 'final', 'whole', now(), now(), '{}' "
            "FROM generate_series(0, $2::int) AS n",
            FIRST,
            STORED - 1,
        )
        await connection.execute(RESTATED, DAY, 2)
        yield connection


class Explained:
    """Fetches, and counts by table how often the statement's scans of it were begun."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.begun: Counter[str] = Counter()

    async def fetch(self, query: str, *arguments: object) -> Any:
        plan = await self._connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}", *arguments)
        self._count(json.loads(plan)[0]["Plan"])
        return await self._connection.fetch(query, *arguments)

    def _count(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            self.begun[node["Relation Name"]] += node["Actual Loops"]
        for inner in node.get("Plans", ()):
            self._count(inner)


@pytest.mark.parametrize("analysed", [True, False])
async def test_a_look_at_many_sessions_goes_over_coverage_and_restatements_once(
    connection: Connection, analysed: bool
) -> None:
    if analysed:
        await connection.execute("ANALYZE coverage, session_condition, restatement")
    explained: Any = Explained(connection)
    found = await marks(explained, FOLLOWED)
    assert set(found) == set(FOLLOWED)
    assert (explained.begun["coverage"], explained.begun["restatement"]) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE coverage SET fetched_at = now() + interval '1 s' WHERE data_set = 'atr' AND trading_day = $1",
        "UPDATE coverage SET retired_at = now() WHERE data_set = 'slot_proof' AND trading_day = $1",
        "DELETE FROM coverage WHERE trading_day = $1",
        "UPDATE session_condition SET state = 'suspect' WHERE trading_day = $1",
        "DELETE FROM session_condition WHERE trading_day = $1",
        RESTATED.replace("$2", "3"),
    ],
    ids=["fetched", "retired", "uncovered", "judged", "unjudged", "restated"],
)
async def test_whatever_changes_a_session_changes_its_mark_and_no_other(connection: Connection, change: str) -> None:
    before = await marks(connection, (DAY, OTHER))
    await connection.execute(change, DAY)
    after = await marks(connection, (DAY, OTHER))
    assert after[DAY] != before[DAY]
    assert after[OTHER] == before[OTHER]


async def test_a_cache_that_is_written_anew_changes_no_mark(connection: Connection) -> None:
    before = await marks(connection, FOLLOWED)
    await connection.execute("UPDATE coverage SET fetched_at = now() + interval '1 s' WHERE data_set = 'cache:atr'")
    assert await marks(connection, FOLLOWED) == before


async def test_a_session_of_which_nothing_is_known_has_a_mark_too(connection: Connection) -> None:
    unknown = FIRST - dt.timedelta(days=1)
    found = await marks(connection, (unknown,))
    assert isinstance(found[unknown], str), "without one it would be looked at each time"
