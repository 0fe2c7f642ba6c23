"""Follows one request from its stream entry to the end of its cycle, by what the ledger says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres import cycles
from consumer.postgres.cycles import Cycle
from consumer.postgres.run_figures import TaskTally, read_tallies
from contract import keys
from contract.reports import CycleState, decode_dead_letter

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

LOOK_EVERY_S = 0.25


class RequestRefused(Exception):
    """The request went to the dead letters; the text is the reason given there."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle as it stands, with the tallies of its tasks."""

    cycle: Cycle
    tallies: dict[str, TaskTally]

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs: the cycle has ended, or waits for another pass."""
        return self.cycle.state is not CycleState.RUNNING


class CycleWatch:
    """Looks at the newest cycle, or at the one that serves a request."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis

    async def newest(self) -> View | None:
        """The running cycle, else the newest that was not superseded."""
        cycle = await cycles.running_or_newest(self._pool)
        return None if cycle is None else await self._view(cycle)

    async def serving(self, entry_id: str, day: dt.date) -> View | None:
        """The cycle that serves the request of *entry_id*, once there is one. Raises RequestRefused."""
        cycle = await cycles.cycle_of_occasion(self._pool, day, f"request:{entry_id}")
        if cycle is not None:
            return await self._view(cycle)
        if await self._under_way(entry_id):
            return None
        if (reason := await self._refusal(entry_id)) is not None:
            raise RequestRefused(reason)
        cycle = await cycles.newest_that_counts(self._pool, day)
        return None if cycle is None else await self._view(cycle)

    async def _under_way(self, entry_id: str) -> bool:
        if await self._redis.xrange(keys.TASKS.name, entry_id, entry_id):
            return True
        member = f"request:{entry_id}"
        if await self._redis.zscore(keys.LATER.pattern, member) is not None:
            return True
        queued: Any = await self._redis.hget(keys.QUEUED.pattern, member)
        return bool(queued and await self._redis.xrange(keys.TASKS.name, queued, queued))

    async def _refusal(self, entry_id: str) -> str | None:
        entries: Any = await self._redis.xrevrange(keys.DEAD.name, count=100)
        for _, fields in entries:
            letter = decode_dead_letter(fields)
            if entry_id in (letter.entry_id, letter.fields.get("request")):
                return letter.reason
        return None

    async def _view(self, cycle: Cycle) -> View:
        return View(cycle=cycle, tallies=await read_tallies(self._pool, cycle))
