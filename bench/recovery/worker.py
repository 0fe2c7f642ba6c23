"""Is one real consumer process with one slot, whose handler does what the message says and tells what it began.

    python -m bench.recovery.worker URL LEASE_S

`hold` waits until its process is killed, at a second delivery it ends at once; `sleep` waits SECONDS; `block` keeps the
event loop from running for SECONDS, then ends. Every beginning is pushed to the list `begun`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.delivery.entries import Delivery, Entry, Outgoing
from consumer.delivery.leased_worker import LeasedWorker
from consumer.delivery.settle import Policy, Settlement
from consumer.delivery.task_stream import TaskStream
from consumer.delivery.worker import WorkerOptions
from consumer.runtime import connect_redis, stop_signals, utc_now

if TYPE_CHECKING:
    from redis.asyncio import Redis

BEGUN = "begun"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A handler began: which message, in which process, and when (system-wide monotonic nanoseconds)."""

    name: str
    pid: int
    deliveries: int
    at_ns: int


class Acting:
    """Does what the message says."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def key_of(self, entry: Entry) -> str:
        return entry.fields["name"]

    def attempt_of(self, entry: Entry) -> int:
        return 1

    def waits_of(self, entry: Entry) -> int:
        return 0

    def retry_of(self, entry: Entry, *, counted: bool, waits: int) -> Outgoing:
        return Outgoing(fields=entry.fields, key=entry.fields["name"])

    def classify(self, failure: BaseException) -> Policy:
        return Policy.REJECT

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        fields = delivery.entry.fields
        begun = Begun(name=fields["name"], pid=os.getpid(), deliveries=delivery.deliveries, at_ns=time.monotonic_ns())
        await self._redis.rpush(BEGUN, msgspec.json.encode(begun))
        match fields["act"]:
            case "hold" if delivery.deliveries == 1:
                await asyncio.Event().wait()
            case "sleep":
                await asyncio.sleep(float(fields["seconds"]))
            case "block":
                time.sleep(float(fields["seconds"]))  # noqa: ASYNC251  (that is the point)
        return []

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        return []


async def main(url: str, lease: dt.timedelta) -> None:
    """Consume until told to stop."""
    async with stop_signals() as stop, connect_redis(url) as commands, connect_redis(url, timeout_s=10) as blocking:
        stream = TaskStream(commands, blocking, consumer=f"bench-{os.getpid()}", lease=lease)
        options = WorkerOptions(slots=1)
        await LeasedWorker(stream, Acting(commands), options, redis_url=url, random=Random(), now=utc_now).run(stop)


if __name__ == "__main__":
    logger.remove()
    asyncio.run(main(sys.argv[1], dt.timedelta(seconds=float(sys.argv[2]))))
