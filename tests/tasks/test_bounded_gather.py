"""Holds bounded_gather to its bound, to the order of outcomes, and to leaving no coroutine behind."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from consumer.delivery.errors import Busy
from consumer.tasks.part import bounded_gather, what_is_left
from consumer.vendor.errors import OutOfTime, ProviderUnavailable


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


async def test_what_has_not_come_in_time_is_out_of_time_and_what_waits_its_turn_is_not_begun() -> None:
    begun = []

    async def answers(number: int) -> int:
        begun.append(number)
        if number == 1:
            await asyncio.Event().wait()
        return number

    until = asyncio.get_running_loop().time() + 0.02
    first, *others = await bounded_gather([answers(n) for n in range(4)], at_once=1, until=until)
    assert first == 0
    assert [type(one) for one in others] == [OutOfTime] * 3
    assert begun == [0, 1], "no request is spent on what could not be waited for"


async def test_a_timeout_of_the_work_itself_is_no_lack_of_time() -> None:
    async def fails() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await bounded_gather([fails()], at_once=1, until=asyncio.get_running_loop().time() + 60)


def test_a_part_that_ran_out_of_time_goes_on_uncounted_only_if_it_got_on() -> None:
    late, away = OutOfTime("late"), ProviderUnavailable("503")
    assert what_is_left([], progress=False) is None
    assert isinstance(what_is_left([late], progress=True), Busy)
    assert what_is_left([late], progress=False) is late
    assert what_is_left([late, away], progress=True) is away
