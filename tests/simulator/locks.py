"""Finds out whether a statement under way ends by itself or waits for a lock that another process holds.

PostgreSQL itself is asked, again and again until the answer is final: so the outcome of a step is the same however
fast the machine is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from tests.simulator.gates import Phase

if TYPE_CHECKING:
    from tests.simulator.gated_postgres import GatedConnection, Session, Sessions
    from tests.simulator.gates import Step


class Locks:
    """The steps whose statement has been sent and has not ended."""

    def __init__(self, monitor: Session, sessions: Sessions) -> None:
        self._monitor = monitor
        self._sessions = sessions
        self.under_way: list[Step] = []
        self.deadlocks = 0

    async def settle(self) -> list[Step]:
        """Return the steps that have ended, once all others are known to wait for a lock."""
        while not await self._all_ended_or_waiting():
            pass
        ended = [step for step in self.under_way if step.task is not None and step.task.done()]
        for step in ended:
            self.under_way.remove(step)
            finish(step)
        return ended

    async def _all_ended_or_waiting(self) -> bool:
        running = [step for step in self.under_way if step.task is not None and not step.task.done()]
        if not running:
            return True
        if not self._could_wait(running):
            await asyncio.wait([step.task for step in running if step.task], return_when=asyncio.FIRST_COMPLETED)
            return False
        waits_for = await self._blockers(running)
        still = [step for step in running if step.task is not None and not step.task.done()]
        pids = {_pid(step) for step in still}
        if any(not waits_for.get(pid) for pid in pids):
            return not still
        if _in_a_circle(waits_for, pids):
            self.deadlocks += 1
            await asyncio.wait([step.task for step in still if step.task], return_when=asyncio.FIRST_COMPLETED)
            return False
        return True

    def _could_wait(self, running: list[Step]) -> bool:
        if len(running) == 1 and _only_reads(running[0]):
            return False
        own = {id(step.connection) for step in running}
        holders = [c for c in (*self._sessions.in_use, *self._sessions.left) if c.begun and id(c) not in own]
        return bool(holders) or len(running) > 1

    async def _blockers(self, running: list[Step]) -> dict[int, list[int]]:
        asked = asyncio.ensure_future(
            self._monitor.fetch(
                "SELECT pid, pg_blocking_pids(pid) AS blockers FROM unnest($1::int[]) AS pid",
                [_pid(step) for step in running],
            )
        )
        return {row["pid"]: row["blockers"] for row in await asked}

    async def holders(self, step: Step) -> list[int]:
        """The sessions that *step* waits for."""
        return (await self._blockers([step])).get(_pid(step), [])

    async def time_out(self, step: Step) -> None:
        """What lock_timeout does to a statement that has waited for too long."""
        await self._cancel(step)
        step.failure = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    async def _cancel(self, step: Step) -> None:
        """Over and over, as a request to cancel may come before the statement waits."""
        assert step.task is not None
        while not step.task.done():
            await self._monitor.execute("SELECT pg_cancel_backend($1)", _pid(step))
            await asyncio.sleep(0)
        if step in self.under_way:
            self.under_way.remove(step)
        finish(step)

    async def clean(self, connection: GatedConnection, *, patient: bool = False) -> bool:
        """Roll back what a connection left behind; whether it is clean.

        *patient*: a statement that waits for a lock is left to it, as a server does that has not noticed the loss.
        """
        step = connection.under_way
        if step is not None and step in self.under_way:
            if patient:
                return False
            await self._cancel(step)
        connection.under_way = None
        if connection.begun:
            connection.begun = False
            await connection.session.execute("ROLLBACK")
        return True


def finish(step: Step) -> None:
    """Take the outcome from the step's task."""
    assert step.task is not None
    step.phase = Phase.ANSWERED
    if step.connection is not None:
        step.connection.under_way = None
    failure = step.task.exception()
    step.failure = step.failure or failure
    if failure is None:
        step.result = step.task.result()


def _only_reads(step: Step) -> bool:
    """A SELECT that locks nothing never waits."""
    return step.name.split()[1] == "SELECT" and not step.locks


def _pid(step: Step) -> int:
    assert step.connection is not None
    return int(step.connection.session.get_server_pid())


def _in_a_circle(waits_for: dict[int, list[int]], pids: set[int]) -> bool:
    for start in pids:
        reached: set[int] = set()
        front = {pid for pid in waits_for[start] if pid in pids}
        while front:
            if start in front:
                return True
            reached |= front
            front = {pid for known in front for pid in waits_for[known] if pid in pids} - reached
    return False
