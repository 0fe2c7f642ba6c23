"""Gives the tests of a cycle a consumer, a market of sixty tickers, and a clock on the evening of 2025-11-11."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from loguru import logger

from process.logs import json_line
from tests.cycle.stack import EVENING, Clock, Market, Stack, market_of, stack_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def clock() -> Clock:
    return Clock(EVENING)


@pytest.fixture
async def market(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Market]:
    """Of as many tickers as the module says, or two dozen: a night of sixty takes twice the time."""
    async with market_of(getattr(request.module, "MARKET_OF", 24), clock) as found:
        yield found


@pytest.fixture
def postgres_dsn(migrated_dsn: str) -> str:
    """Where the tests of a cycle find their database: with all tables."""
    return migrated_dsn


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str, market: Market, clock: Clock) -> AsyncIterator[Stack]:
    async with stack_on(postgres_dsn, redis_url, market, clock) as found:
        yield found


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    """Every log line of the test, as JSON would have it."""
    lines: list[dict[str, object]] = []
    number = logger.add(lambda message: lines.append(json.loads(json_line(message.record))), level="DEBUG")
    yield lines
    logger.remove(number)
