"""kill -9 of a worker in the middle of volume_slots: the other one finishes, and nothing is lost or done twice.

CRASH_TICKERS=11000 runs it on the whole market.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from redis.asyncio import Redis

from producers.trigger import request_cycle
from tests.crash.fingerprint import of_caches, of_tables
from tests.crash.stack import Market, simulated_market, until, workers
from tests.looking import look_into

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.crash

TICKERS = int(os.environ.get("CRASH_TICKERS", "500"))
LATENCY_MS = 30
SESSIONS = 16  # of bars: one more than an ATR needs
DAY = dt.date(2025, 11, 11)  # long final: the market of today still changes while it is asked
LEASE = "2s"
PATIENCE_S = 60 + TICKERS / 20


class Place:
    """A database and a Redis of its own."""

    def __init__(self, dsn: str, redis_url: str, connection: Any, redis: Redis) -> None:
        self.dsn, self.redis_url, self.connection, self.redis = dsn, redis_url, connection, redis

    def environment(self, market: Market) -> dict[str, str]:
        return {
            "DATABASE_URL": self.dsn, "REDIS_URL": self.redis_url, "MASSIVE_BASE_URL": market.url,
            "MASSIVE_API_KEY": "any", "MASSIVE_REQUESTS_PER_SECOND": "0", "MAINTENANCE_LEASE": LEASE,
            # Few at once, so that there is a middle: some batches done, some running, some still to come.
            "MAINTENANCE_PARTS_AT_ONCE": "1", "OHLC_SESSIONS": str(SESSIONS), "SLOT_SESSIONS": "5",
        }  # fmt: skip

    async def cycle_state(self) -> str | None:
        state: str | None = await self.connection.fetchval("SELECT max(state) FROM cycle")
        return state

    async def fingerprint(self) -> dict[str, tuple[int, str]]:
        return {**await of_tables(self.connection), **await of_caches(self.redis)}


@pytest.fixture
async def disturbed(postgres_dsn: str, redis_url: str) -> AsyncIterator[Place]:
    connection = await look_into(postgres_dsn)
    redis = Redis.from_url(f"{redis_url}?db=1", decode_responses=True)
    yield Place(postgres_dsn, f"{redis_url}?db=1", connection, redis)
    await redis.aclose()
    await connection.close()


@pytest.fixture
async def undisturbed(postgres_dsn: str, redis_url: str) -> AsyncIterator[Place]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    before, _, after = postgres_dsn.partition("?")
    dsn = before.rpartition("/")[0] + f"/{name}?{after}"
    connection = await look_into(dsn)
    redis = Redis.from_url(f"{redis_url}?db=2", decode_responses=True)
    yield Place(dsn, f"{redis_url}?db=2", connection, redis)
    await redis.aclose()
    await connection.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def started(place: Place) -> None:
    """Ask for the cycle, once a worker has made the schema."""

    async def schema() -> bool:
        return bool(await place.connection.fetchval("SELECT to_regclass('part') IS NOT NULL"))

    await until(schema, what="the schema")
    await request_cycle(place.redis, trading_day=DAY, requested_by="crash test")


async def ended(place: Place) -> str:
    async def state() -> str | None:
        found = await place.cycle_state()
        return None if found in (None, "running") else found

    return str(await until(state, within_s=PATIENCE_S, what="the end of the cycle"))


async def in_the_middle_of_slots(place: Place) -> list[Any]:
    """The running batches, once some are committed, some are running and some are still to come."""
    rows = await place.connection.fetch("SELECT part, holder, state FROM part WHERE stage = 'volume_slots/slots'")
    states = [row["state"] for row in rows]
    if states.count("done") < len(rows) // 4 or "running" not in states or "ready" not in states:
        return []
    return [row for row in rows if row["state"] == "running"]


@pytest.mark.long(30)
async def test_a_worker_killed_in_volume_slots_leaves_the_data_of_an_undisturbed_run(
    disturbed: Place, undisturbed: Place, tmp_path: Path
) -> None:
    with simulated_market(tickers=TICKERS, latency_ms=LATENCY_MS) as market:
        with workers(2, log=tmp_path / "calm.log", **undisturbed.environment(market)):
            await started(undisturbed)
            assert await ended(undisturbed) == "complete"
        asked_calmly = (await market.requests())["by_endpoint"]
        await market.reset()

        with workers(2, log=tmp_path / "killed.log", **disturbed.environment(market)) as processes:
            await started(disturbed)
            running = await until(lambda: in_the_middle_of_slots(disturbed), what="the middle of volume_slots")
            victim = next(p for p in processes if any(f"-{p.pid}-" in row["holder"] for row in running))
            victim.kill()
            held = await disturbed.connection.fetch(
                "SELECT payload->'symbols' AS symbols, part FROM part WHERE holder LIKE $1 AND state <> 'done'",
                f"%-{victim.pid}-%",
            )
            assert await ended(disturbed) == "complete"
        asked = await market.requests()

    assert await disturbed.fingerprint() == await undisturbed.fingerprint()
    in_flight = {symbol for row in held if row["symbols"] for symbol in json.loads(row["symbols"])}
    twice = {path.split("/ticker/")[1].split("/")[0] for path, count in asked["by_path"].items()
             if "/range/" in path and count > 1}  # fmt: skip
    details_twice = {path.rpartition("/")[2].partition(" ")[0] for path, count in asked["by_path"].items()
                     if "/v3/reference/tickers/" in path and count > 1}  # fmt: skip
    assert in_flight, "the victim held something"
    assert twice <= in_flight
    assert details_twice <= in_flight
    assert asked["by_endpoint"]["grouped_daily"] == asked_calmly["grouped_daily"] == SESSIONS
    print(f"\n{TICKERS} tickers: requests {asked['by_endpoint']} (undisturbed {asked_calmly}), "
          f"asked twice {len(twice)} slots and {len(details_twice)} details of {len(in_flight)} in flight")  # fmt: skip
