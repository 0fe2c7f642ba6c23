"""Gives each test of a fault servers that it may hurt, and what an undisturbed run leaves."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.embedded.redis_server import EmbeddedRedis
from tests.conftest import execute
from tests.cycle.stack import Market, market_of
from tests.faults.service import TickingClock, Watch, consumer_on, place_of

if TYPE_CHECKING:
    import contextlib
    from collections.abc import AsyncIterator, Callable

    from tests.faults.service import Fingerprint, Place, Running

    Starts = Callable[..., contextlib.AbstractAsyncContextManager[Running]]

TICKERS = 40
LATENCY_MS = 8
_undisturbed: list[Fingerprint] = []


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
async def market(clock: TickingClock) -> AsyncIterator[Market]:
    async with market_of(TICKERS, clock, latency_ms=LATENCY_MS) as found:
        yield found


@pytest.fixture
async def own_redis() -> AsyncIterator[EmbeddedRedis]:
    """A Redis that the test may kill, freeze and roll back."""
    with tempfile.TemporaryDirectory(prefix="dm-faults-") as folder:
        server = EmbeddedRedis(Path(folder))
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


@pytest.fixture
async def place(postgres_dsn: str, own_redis: EmbeddedRedis, market: Market) -> AsyncIterator[Place]:
    """A database of the common PostgreSQL and a Redis of the test's own."""
    async with place_of(postgres_dsn, own_redis.url, market) as found:
        yield found


@pytest.fixture
def consumer(place: Place, clock: TickingClock) -> Starts:
    """Runs one consumer on the place: `async with consumer():`."""

    def start(**options: Any) -> contextlib.AbstractAsyncContextManager[Running]:
        return consumer_on(place, clock, **options)

    return start


@pytest.fixture
def watch(place: Place, logged: list[dict[str, Any]]) -> Watch:
    return Watch(place, logged)


@pytest.fixture
async def undisturbed(postgres_server: Any, redis_url: str, market: Market, clock: TickingClock) -> Fingerprint:
    """What a run without any fault leaves; made once."""
    if not _undisturbed:
        name = f"calm_{uuid.uuid4().hex[:12]}"
        await execute(postgres_server.dsn, f"CREATE DATABASE {name} TEMPLATE template0")
        dsn = postgres_server.dsn.replace("/postgres?", f"/{name}?", 1)
        async with place_of(dsn, redis_url, market) as calm:
            async with consumer_on(calm, clock):
                await calm.complete()
            assert not await calm.asked_twice()
            _undisturbed.append(await calm.fingerprint())
        await execute(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")
        await market.reset()
    return _undisturbed[0]
