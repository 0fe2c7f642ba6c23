"""Is one consumer process whose handler does what the message says, for tests that end processes.

python -m tests.delivery.consumer_process URL LEASE_S DEADLINE_S
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from random import Random
from typing import TYPE_CHECKING

from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.leased_worker import LeasedWorker
from consumer.maintenance_channel import task_stream
from consumer.runtime import connect_redis, stop_signals, utc_now
from tests.delivery.consumers import ScriptedHandler, keeper_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery

BEGUN = "begun"  # a list: task and process of each handler that began


async def act(delivery: Delivery, redis: Redis) -> None:
    """Do what the message says: die, spin, wait for ever, or end at once."""
    task = delivery.entry.fields["task"]
    await redis.rpush(BEGUN, f"{task} {os.getpid()}")
    match task:
        case "die":
            os._exit(9)
        case "spin":
            while True:
                pass
        case "wait":
            await asyncio.Event().wait()


async def main(url: str, lease_s: float, deadline_s: float) -> None:
    """Consume until told to stop."""
    async with stop_signals() as stop, connect_redis(url) as commands, connect_redis(url, timeout_s=10) as blocking:
        lease = dt.timedelta(seconds=lease_s)
        stream = task_stream(commands, blocking, consumer=f"process-{os.getpid()}", lease=lease)

        async def run(delivery: Delivery) -> None:
            await act(delivery, commands)

        options = WorkerOptions(slots=2, max_deliveries=2, deadline=dt.timedelta(seconds=deadline_s))
        handler = ScriptedHandler(run)
        surroundings = Surroundings(now=utc_now, random=Random(1))
        await LeasedWorker(stream, keeper_of(url, stream), handler, options, surroundings).run(stop)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
