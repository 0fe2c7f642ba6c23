"""Holds bounded_gather to its bound, to the order of outcomes, and to leaving no coroutine behind."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from consumer.massive.errors import ProviderUnavailable
from consumer.tasks.part import bounded_gather


async def test_outcomes_come_in_order_and_a_vendor_error_is_one_of_them() -> None:
    async def answer(number: int) -> int:
        await asyncio.sleep(0)
        if number == 1:
            raise ProviderUnavailable("503")
        return number

    first, second, third = await bounded_gather([answer(n) for n in range(3)], at_once=2)
    assert (first, type(second), third) == (0, ProviderUnavailable, 2)


async def test_no_more_than_the_bound_run_together() -> None:
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1

    await bounded_gather([work() for _ in range(20)], at_once=4)
    assert most == 4


async def test_another_error_propagates_and_no_coroutine_is_left_unawaited() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    async def waits() -> None:
        await asyncio.Event().wait()

    work = [fails(), *(waits() for _ in range(5))]
    with pytest.raises(ZeroDivisionError):
        await bounded_gather(work, at_once=1)
    assert {inspect.getcoroutinestate(coroutine) for coroutine in work} == {inspect.CORO_CLOSED}
