"""Counts what a process has done, and adds it to the counts that all processes share in Redis, for /metrics.

Counting never waits and never fails. What is counted between two additions is lost with its process, and the rest with
its Redis: a counter that begins anew is what Prometheus expects of one. Nothing in the service reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError

from consumer.delivery.settle import Ending
from contract import keys
from contract.messages import TaskName

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery
    from consumer.delivery.settle import Settlement

ADD_EVERY_S = 5.0
LAST_WITHIN_S = 1.0

SETTLEMENTS, PARTS, REQUESTS = "settlements", "parts", "requests"
_TASKS = frozenset(task.value for task in TaskName)
#: How a part ended, by how its delivery did; a retry or a hand-over is no end of it.
DONE = "done"
_ENDS = {Ending.ACKNOWLEDGE: DONE, Ending.DEAD_LETTER: "dead_letter"}


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """One counter: *family*, and the values of its two labels."""

    family: str
    first: str
    second: str


class Counts:
    """What this process has counted since it last added that to Redis."""

    def __init__(self) -> None:
        self._since: Counter[Count] = Counter()

    def settled(self, delivery: Delivery, settlement: Settlement) -> None:
        """A delivery ended. Its task is one of ours, whatever the entry says: a label has few values."""
        named = delivery.entry.fields.get("task", "")
        task = named if named in _TASKS else "unknown"
        self._add(SETTLEMENTS, task, settlement.ending.value)
        if (outcome := _ENDS.get(settlement.ending)) is not None:
            # What is acknowledged for a reason is an outcome that the ledger has: not published, refused, given up.
            self._add(PARTS, task, "without_data" if settlement.reason and outcome is DONE else outcome)

    def answered(self, endpoint: str, status: int | None) -> None:
        """The vendor answered a request, or with None did not."""
        self._add(REQUESTS, endpoint, "none" if status is None else str(status))

    def _add(self, family: str, first: str, second: str) -> None:
        self._since[Count(family=family, first=first, second=second)] += 1

    async def add_to(self, redis: Redis) -> None:
        """Add what was counted to the shared counts. Raises RedisError; then it is added the next time."""
        since, self._since = self._since, Counter()
        if not since:
            return
        adding = redis.pipeline(transaction=True)
        for one, times in since.items():
            adding.hincrby(keys.COUNTED.pattern, f"{one.family}:{one.first}:{one.second}", times)
        try:
            await adding.execute()
        except BaseException:
            self._since.update(since)
            raise

    async def run(self, redis: Redis) -> None:
        """Add every few seconds, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(ADD_EVERY_S)
                with contextlib.suppress(RedisError, OSError):
                    await self.add_to(redis)
        finally:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(LAST_WITHIN_S):
                    await self.add_to(redis)


async def read_counts(redis: Redis) -> dict[Count, int]:
    """Return what all processes have counted; what somebody else wrote into the hash is left out. Raises RedisError."""
    stored: Any = await redis.hgetall(keys.COUNTED.pattern)
    found = {}
    for name, times in stored.items():
        family, _, labels = name.partition(":")
        first, _, second = labels.partition(":")
        if family in (SETTLEMENTS, PARTS, REQUESTS) and second and times.isdecimal():
            found[Count(family=family, first=first, second=second)] = int(times)
    return found
