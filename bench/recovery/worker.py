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
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.delivery.entries import Delivery, Entry, Outgoing, Received, Refusal, Work
from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.leased_worker import LeasedWorker
from consumer.delivery.settle import Policy, Settlement
from consumer.maintenance_channel import CHANNEL, task_stream
from consumer.runtime import connect_redis, stop_signals, utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def read(self, entry: Entry) -> Work:
        return Work(key=entry.fields["name"])

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        return Outgoing(fields=delivery.entry.fields, key=delivery.work.key)

    def put_off(self, received: Received) -> Outgoing:
        return Outgoing(fields=received.entry.fields, key=received.work.key)

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        return {"reason": refusal.reason}

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        return []

    async def taken_over(self, delivery: Delivery) -> None:
        pass

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
        stream = task_stream(commands, blocking, consumer=f"bench-{os.getpid()}", lease=lease)
        options = WorkerOptions(slots=1)
        keeper = LeaseKeeper(url, CHANNEL, consumer=stream.consumer, lease=lease, loop=asyncio.get_running_loop())
        await LeasedWorker(stream, keeper, Acting(commands), options, Surroundings(now=utc_now)).run(stop)


if __name__ == "__main__":
    logger.remove()
    asyncio.run(main(sys.argv[1], dt.timedelta(seconds=float(sys.argv[2]))))
