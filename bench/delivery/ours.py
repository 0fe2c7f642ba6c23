"""Delivers with this project's own worker, everything on: leases, fence token, dedupe keys, counted deliveries.

The handler does nothing but what every handler must: it decodes the message. An acknowledged entry is deleted from
the stream, as in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
from random import Random
from typing import TYPE_CHECKING

from bench.delivery.contestant import SLOTS, Meter, Sender, fields_of
from consumer.cycle.messages import letter_fields, newer_message, read_work
from consumer.delivery.entries import Delivery, Entry, Outgoing, Received, Refusal, Work
from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.leased_worker import LeasedWorker
from consumer.delivery.settle import Policy, Settlement
from consumer.maintenance_channel import CHANNEL, task_stream
from consumer.runtime import connect_redis, utc_now
from contract import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from consumer.delivery.task_stream import TaskStream

LEASE = dt.timedelta(seconds=10)


class NoWork:
    """Decodes a message where the product's own handler does, and does nothing with it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def read(self, entry: Entry) -> Work:
        return read_work(entry)

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        return Outgoing(fields=delivery.entry.fields, key=delivery.work.key or delivery.entry.entry_id)

    def put_off(self, received: Received) -> Outgoing:
        return newer_message(received)

    def classify(self, failure: BaseException) -> Policy:
        return Policy.RETRY

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        return letter_fields(refusal)

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        return []

    async def taken_over(self, delivery: Delivery) -> None:
        pass

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        self._meter.seen(int(delivery.entry.fields.get("sent", "0")))
        return []

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        raise failure  # nothing fails here


def message_of(number: int, *, keyed: bool, sent_ns: int = 0) -> Outgoing:
    """The message of a part with its identity, or what a person may write, without one."""
    fields = fields_of(number)
    key = f"{fields['cycle']}/{fields['task']}/{fields['part']}" if keyed else ""
    if not keyed:
        del fields["part"], fields["cycle"]
    if sent_ns:
        fields["sent"] = str(sent_ns)
    return Outgoing(fields=fields, key=key)


class OwnWorker:
    """Worker, executor, task stream and lease keeper of the product."""

    stream = keys.TASKS.name
    group = keys.GROUP

    def __init__(self, options: WorkerOptions, *, keyed: bool) -> None:
        self._options = options
        self._keyed = keyed
        what = "a dedupe key each" if keyed else "no dedupe keys"
        self.setting = f"slots={options.slots}, {what}, lease {LEASE.total_seconds():g} s"

    @contextlib.asynccontextmanager
    async def _task_stream(self, url: str) -> AsyncIterator[TaskStream]:
        async with connect_redis(url) as commands, connect_redis(url, timeout_s=10) as blocking:
            stream = task_stream(commands, blocking, consumer=f"bench-{os.getpid()}", lease=LEASE)
            await stream.ensure_group()
            yield stream

    async def load(self, url: str, count: int) -> None:
        async with self._task_stream(url) as stream:
            for first in range(0, count, 500):
                numbers = range(first, min(first + 500, count))
                await stream.enqueue([message_of(number, keyed=self._keyed) for number in numbers])

    @contextlib.asynccontextmanager
    async def sending(self, url: str) -> AsyncIterator[Sender]:
        async with self._task_stream(url) as stream:

            async def send(number: int, sent_ns: int) -> None:
                await stream.enqueue([message_of(number, keyed=self._keyed, sent_ns=sent_ns)])

            yield send

    @contextlib.asynccontextmanager
    async def consuming(self, url: str, meter: Meter) -> AsyncIterator[None]:
        async with self._task_stream(url) as stream:
            loop = asyncio.get_running_loop()
            keeper = LeaseKeeper(url, CHANNEL, consumer=stream.consumer, lease=LEASE, loop=loop)
            surroundings = Surroundings(now=utc_now, random=Random(1))
            worker = LeasedWorker(stream, keeper, NoWork(meter), self._options, surroundings)
            stop = asyncio.Event()
            working = asyncio.create_task(worker.run(stop))
            try:
                yield
            finally:
                stop.set()
                await working


KEYED = OwnWorker(WorkerOptions(slots=SLOTS), keyed=True)
UNKEYED = OwnWorker(WorkerOptions(slots=SLOTS), keyed=False)
DEFAULT_SLOTS = OwnWorker(WorkerOptions(), keyed=True)
