"""Serves the HTTP API over one consumer and one simulated market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer

from consumer.web.app import Access, build_app
from consumer.web.earlier import StandsFor
from consumer.web.monitor import Monitor
from consumer.web.reads import Bounds, Reads
from tests.cycle.conftest import clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]
TOKEN = "secret"


def monitor_of(stack: Stack) -> Monitor:
    """What answers about the service of *stack*."""
    return Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)


def app_of(stack: Stack, *, token: str | None, stands_for: StandsFor = StandsFor.DATA_MAINTENANCE) -> TestServer:
    """The API of *stack*."""
    # A test changes what stands, and asks at once.
    reads = Reads(stack.pool, stack.services.calendar, Bounds(look_every_s=0))
    return TestServer(
        build_app(monitor_of(stack), stack.stream, reads, Access(token=token, stands_for=stands_for), max_deliveries=5)
    )


@pytest.fixture(name="client")
async def client_(stack: Stack) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """A client that sends no token, to an API that wants none."""
    async with TestClient(app_of(stack, token=None)) as found:
        yield found


@pytest.fixture
async def guarded(stack: Stack) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """A client that sends no token by itself, to an API that wants one."""
    async with TestClient(app_of(stack, token=TOKEN)) as found:
        yield found
