"""Shows `consumer.delivery` by itself: work that outlives its worker and is done once, on nothing but a Redis.

    python examples/delivery_alone.py redis://127.0.0.1:6379/0

Three greetings stand in a ledger (here a set; in earnest rows of a database) and are sent from it. A consumer reads one
of them and is never heard of again: another takes it over when its lease has run out. What nobody can greet becomes a
dead letter. In the end each was greeted once, and nothing is left.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from consumer.delivery.channel import Channel
from consumer.delivery.entries import Outgoing
from consumer.delivery.errors import DataRejected
from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.leased_worker import LeasedWorker
from consumer.delivery.outbox import resend
from consumer.delivery.plain_handler import PlainHandler
from consumer.delivery.task_stream import TaskStream

if TYPE_CHECKING:
    from consumer.delivery.entries import Delivery

GREETINGS, LEASE = Channel.under("greetings"), dt.timedelta(seconds=1)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Greeter(PlainHandler):
    """Does the work, and is the ledger: what is *to_do* is unsent until it is done."""

    def __init__(self, *names: str) -> None:
        self.to_do, self.done = set(names), asyncio.Event()

    async def unsent(self, *, now: dt.datetime) -> list[Outgoing]:
        return [Outgoing(fields={"key": name}, key=name) for name in sorted(self.to_do)]

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        name = delivery.work.key
        if not name:
            raise DataRejected("key is missing: say whom to greet")
        if name in self.to_do:  # one commit a piece of work, however often it is delivered
            self.to_do.remove(name)
            print(f"hello {name}, delivery {delivery.deliveries}")
        if not self.to_do:
            self.done.set()
        return []  # what this commit has released; it would be sent with the acknowledgement


async def main(url: str) -> None:
    async with Redis.from_url(url, decode_responses=True, socket_timeout=10) as redis:
        dying, living = (TaskStream(redis, redis, GREETINGS, consumer=name, lease=LEASE) for name in ("a", "b"))
        greeter = Greeter("ann", "ben", "cem")
        await living.ensure_group()
        await resend(living, greeter, now=utc_now())
        await dying.read(1, block=LEASE)
        await redis.xadd(GREETINGS.stream, {"kay": "a typing error"})
        keeper = LeaseKeeper(url, GREETINGS, consumer="b", lease=LEASE, loop=asyncio.get_running_loop())
        worker = LeasedWorker(living, keeper, greeter, WorkerOptions(), Surroundings(now=utc_now))
        await worker.run(greeter.done)
        print(f"left: {await redis.xlen(GREETINGS.stream)}, dead letters: {await redis.xlen(GREETINGS.dead)}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
