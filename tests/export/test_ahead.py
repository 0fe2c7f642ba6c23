"""The next session is read while one is written: one and no more, and nothing goes on that nobody wants."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING

import pytest

from consumer.export.ahead import one_ahead
from consumer.export.folder import Folder
from consumer.export.outcome import Outcome
from tests.cycle.stack import CALENDAR, DAY
from tests.export.conftest import exporter_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cycle.stack import Stack


class Steps:
    """Steps that say when they begin, and end when they are let."""

    def __init__(self, count: int) -> None:
        self.begun = [asyncio.Event() for _ in range(count)]
        self.let = [asyncio.Event() for _ in range(count)]
        self.cancelled: list[int] = []

    async def take(self, number: int) -> int:
        self.begun[number].set()
        try:
            await self.let[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    @property
    def all(self) -> list[functools.partial[object]]:
        return [functools.partial(self.take, number) for number in range(len(self.begun))]


async def test_one_step_runs_ahead_of_what_is_used_and_no_more() -> None:
    steps = Steps(3)
    for let in steps.let:
        let.set()
    async with contextlib.aclosing(one_ahead(steps.all)) as results:  # type: ignore[arg-type]
        assert await anext(results) == 0
        async with asyncio.timeout(10):
            await steps.begun[1].wait()
        assert not steps.begun[2].is_set()
        assert [one async for one in results] == [1, 2]


async def test_what_runs_ahead_has_ended_once_nobody_wants_it() -> None:
    steps = Steps(2)
    steps.let[0].set()
    async with contextlib.aclosing(one_ahead(steps.all)) as results:  # type: ignore[arg-type]
        await anext(results)
        await steps.begun[1].wait()
    assert steps.cancelled == [1]


async def test_a_step_that_fails_is_told_after_the_results_before_it() -> None:
    async def fine() -> int:
        return 1

    async def failing() -> int:
        raise ConnectionError("away")

    told = []
    with pytest.raises(ConnectionError, match="away"):
        async for one in one_ahead([fine, failing, fine]):
            told.append(one)
    assert told == [1]


class Waiting(Folder):
    """A folder that puts the first file only once the next session has been asked for."""

    def __init__(self, root: Path, second: str) -> None:
        super().__init__(root)
        self._second = second
        self._asked = asyncio.Event()

    async def tail(self, key: str, size: int) -> bytes | None:
        if self._second in key:
            self._asked.set()
        return await super().tail(key, size)

    async def put(self, key: str, body: bytes, check: Callable[[bytes], None]) -> None:
        async with asyncio.timeout(30):
            await self._asked.wait()
        await super().put(key, body, check)


async def test_a_session_is_read_while_the_one_before_it_is_written(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    days = CALENDAR.last_trading_days(2, up_to=DAY)
    place = Waiting(to, str(days[1]))
    await place.open([])
    told = [one async for one in exporter_of(stack, place, "daily_bars").export(days)]
    await place.close()
    assert [(one.trading_day, one.outcome) for one in told] == [(day, Outcome.WRITTEN) for day in days]
