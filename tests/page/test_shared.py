"""Answers that many share: made once, never at more than a hundredth of the time, and anew once something was told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.page import shared
from consumer.page.shared import LONGEST_SAME_S, Shared, stands_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@pytest.fixture(autouse=True)
def _an_answer_stands(_no_answer_is_kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SAME_ANSWER_S", 3600.0)


class Making:
    """Makes numbers, one after the other."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self.made = 0
        self._meanwhile = meanwhile

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        if self._meanwhile is not None:
            await self._meanwhile()
        return number


async def test_fifty_who_ask_at_once_get_one_answer() -> None:
    making = Making(lambda: asyncio.sleep(0))
    one = Shared(making)
    answers = await asyncio.gather(*(one.get() for _ in range(50)))
    assert {answer.body for answer in answers} == {b"1"}
    assert making.made == 1


async def test_an_answer_that_was_forgotten_is_made_anew_also_while_it_was_being_made() -> None:
    making = Making()
    one = Shared(making)
    await one.get()
    one.forget()
    assert (await one.get()).body == b"2"

    async def told() -> None:
        told_while.forget()

    told_while = Shared(Making(told))
    await told_while.get()
    assert (await told_while.get()).body == b"2"


async def test_who_asks_after_a_failure_is_not_given_what_stood_before_it() -> None:
    fails = [False, True, False]

    async def make() -> str:
        if fails.pop(0):
            raise ConnectionError
        return f"{len(fails)} left"

    one = Shared(make)
    assert (await one.get()).body == b'"2 left"'
    one.forget()
    with pytest.raises(ConnectionError):
        await one.get()
    assert (await one.get()).body == b'"0 left"'


def test_what_takes_long_to_make_stands_the_longer_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SAME_ANSWER_S", 1.0)
    assert [stands_for(took) for took in (0.001, 0.03, 5.0)] == [1.0, 3.0, LONGEST_SAME_S]
