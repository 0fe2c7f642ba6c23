"""Gives the tests of an export a maintained market, a folder, and both readers of what was written to it."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING

import duckdb
import pytest

from consumer.export.exportable import wanted
from consumer.export.exporter import Exporter
from consumer.export.folder import Folder
from market.data_source import VENDOR
from tests.cycle.stack import EVENING, SCHEDULE, Clock, Market, Stack, market_of, stack_on
from tests.terminal.conftest import forked, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from consumer.export.outcome import Exported
    from tests.terminal.conftest import Run

    Maintenance = Callable[..., Awaitable[tuple[int, str, str]]]

__all__ = ["forked", "run"]

TICKERS = 30
WINDOWS = {"OHLC_SESSIONS": "16", "SLOT_SESSIONS": "5", "COLUMNS": "200"}


@pytest.fixture
def clock() -> Clock:
    return Clock(EVENING)


@pytest.fixture
async def market(clock: Clock) -> AsyncIterator[Market]:
    async with market_of(TICKERS, clock, dividends=True) as found:
        yield found


@pytest.fixture
async def stack(migrated_dsn: str, redis_url: str, market: Market, clock: Clock) -> AsyncIterator[Stack]:
    async with stack_on(migrated_dsn, redis_url, market, clock) as found:
        yield found


@pytest.fixture
def postgres_dsn(migrated_dsn: str) -> str:
    """Where commands find their database: with all tables."""
    return migrated_dsn


@pytest.fixture
async def served(migrated_dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    """A service whose last completed session, by the real clock, has been maintained a moment ago."""
    now = dt.datetime.now(dt.UTC)
    clock = Clock(now)
    async with market_of(40, clock) as market, stack_on(migrated_dsn, redis_url, market, clock) as stack:
        await stack.run_cycle(SCHEDULE.calendar.last_completed(now))
        yield stack


@pytest.fixture
def maintenance(run: Run) -> Maintenance:
    """Runs `maintenance …` with the windows of the stack; returns exit code, output and errors."""
    return functools.partial(run, "consumer.terminal", **WINDOWS)


def session(back: int) -> str:
    """The *back*-th session before the last completed one, by the real clock."""
    now = dt.datetime.now(dt.UTC)
    return str(SCHEDULE.calendar.last_trading_days(back + 1, up_to=SCHEDULE.calendar.last_completed(now))[0])


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where an export goes."""
    return tmp_path / "export"


def exporter_of(stack: Stack, place: object, *names: str) -> Exporter:
    """An exporter as the command makes one, by the clock of the stack."""
    return Exporter(
        pool=stack.pool, place=place, sets=wanted(names), expectations=stack.expectations,  # type: ignore[arg-type]
        source=VENDOR.mark, now=stack.clock,
    )  # fmt: skip


async def export(stack: Stack, to: Path, days: Sequence[dt.date], *names: str) -> list[Exported]:
    """Export *days* to a folder, and say what became of each file."""
    place = Folder(to)
    exporter = exporter_of(stack, place, *names)
    await place.open(one.folder for one in exporter.sets)
    try:
        return [one async for one in exporter.export(days)]
    finally:
        await place.close()


def by_duckdb(query: str) -> list[tuple[object, ...]]:
    """The rows of a query, by a reader that has nothing to do with the writer."""
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()
