"""Proves that a process which was told to stop does, though a cancellation is lost on its way."""

from __future__ import annotations

import asyncio

import pytest

from consumer import runtime


class Swallows:
    """Work that goes on after its first cancellations, as one that a driver lost on the way."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not self.left:
                    raise
                self.left -= 1


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "CANCELLED_AGAIN_AFTER_S", 0.01)


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    work = Swallows(2)
    task = asyncio.create_task(work.run())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await runtime.end_all([task])
    assert task.cancelled()
    assert work.left == 0


async def test_a_start_that_swallows_its_cancellation_does_not_keep_a_stopped_process_alive() -> None:
    stop, work = asyncio.Event(), Swallows(2)
    starting = asyncio.create_task(runtime.unless_stopped(stop, work.run()))
    await asyncio.sleep(0)
    stop.set()
    _, pending = await asyncio.wait({starting}, timeout=5)
    assert not pending
    assert isinstance(starting.exception(), runtime.Stopped)


async def test_what_has_ended_already_is_left_as_it_is() -> None:
    async def fails() -> None:
        raise OSError("away")

    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    await runtime.end_all([task])
    assert isinstance(task.exception(), OSError)
