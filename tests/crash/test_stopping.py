"""Proves that a process which was told to stop does, though a cancellation is lost on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer import runtime

if TYPE_CHECKING:
    import pytest


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CANCELLED_AGAIN_AFTER_S", 0.01)
    swallowed = 0

    async def swallows_two() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1

    task = asyncio.create_task(swallows_two())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await runtime.end_all([task])
    assert task.cancelled()
    assert swallowed == 2


async def test_what_has_ended_already_is_left_as_it_is() -> None:
    async def fails() -> None:
        raise OSError("away")

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    await runtime.end_all([task])
    assert isinstance(task.exception(), OSError)
