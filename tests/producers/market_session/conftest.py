"""A week with everything in it, and producers on one Redis whose clocks the test sets."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import pytest
from loguru import logger
from redis.asyncio import Redis

from contract.keys import SESSIONS
from contract.messages import SessionChanged, decode_session_changed
from market.trading_calendar import TradingCalendar
from process.logs import configure_logs
from producers.market_session.run import Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class Clock:
    """A clock that stands where the test puts it."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at


@pytest.fixture(scope="session")
def calendar() -> TradingCalendar:
    return TradingCalendar()


@pytest.fixture
def monday() -> dt.datetime:
    """Before the first transition of Thanksgiving week 2024: holiday on the 28th, early close on the 29th."""
    return dt.datetime(2024, 11, 25, 5, 0, tzinfo=dt.UTC)


@pytest.fixture
def saturday(monday: dt.datetime) -> dt.datetime:
    return monday + dt.timedelta(days=5)


@pytest.fixture
async def new_producer(redis_url: str, calendar: TradingCalendar) -> AsyncIterator[Callable[..., Producer]]:
    """Makes producers with a connection of their own, as separate processes have."""
    clients: list[Redis] = []

    def new(now: Callable[[], dt.datetime] | None = None, **options: dt.timedelta) -> Producer:
        clients.append(Redis.from_url(redis_url, decode_responses=True))
        return Producer(clients[-1], calendar, now=now, **options)

    yield new
    for client in clients:
        await client.aclose()


async def published(redis: Redis) -> list[SessionChanged]:
    return [decode_session_changed(fields) for _, fields in await redis.xrange(SESSIONS.name)]


async def published_instants(redis: Redis) -> list[dt.datetime]:
    return [message.timestamp for message in await published(redis)]


def scheduled(calendar: TradingCalendar, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    return [transition.at for transition in calendar.transitions(after, until)]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The log lines of the test, as JSON."""
    lines: list[str] = []
    configure_logs(json=True, write=lines.append)
    yield lines
    logger.remove()
    logger.add(sys.stderr)
