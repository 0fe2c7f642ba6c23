"""Delivers with taskiq on taskiq-redis: its stream broker, acknowledged when the task has been executed.

Fastest setting that still acknowledges: a hundred a read, no validation of parameters, no result backend. The
receiver is the one that `taskiq worker` runs, started in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from bench.delivery.contestant import SLOTS, Meter, Sender, fields_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from taskiq import AsyncTaskiqDecoratedTask

READ_AT_ONCE = 100


class OnTaskiq:
    """`RedisStreamBroker` and its receiver."""

    stream = "bench:taskiq"
    group = "bench"
    setting = f"RedisStreamBroker, xread_count={READ_AT_ONCE}, max_async_tasks={SLOTS}, acks when executed, no results"

    def _broker(self, url: str) -> RedisStreamBroker:
        return RedisStreamBroker(
            url,
            queue_name=self.stream,
            consumer_group_name=self.group,
            consumer_name="one",
            consumer_id="0",
            xread_count=READ_AT_ONCE,
            unacknowledged_lock_timeout=5,  # without it, a killed worker's lock stops every later one for ever
        )

    def _task(self, broker: RedisStreamBroker, seen: Callable[[int], None]) -> AsyncTaskiqDecoratedTask[..., None]:
        @broker.task(task_name="bench")
        async def work(fields: dict[str, str], sent_ns: int) -> None:
            seen(sent_ns)

        return work

    async def load(self, url: str, count: int) -> None:
        async with self.sending(url) as send:
            for number in range(count):
                await send(number, 0)

    @contextlib.asynccontextmanager
    async def sending(self, url: str) -> AsyncIterator[Sender]:
        broker = self._broker(url)
        task = self._task(broker, lambda _: None)
        await broker.startup()
        try:

            async def send(number: int, sent_ns: int) -> None:
                await task.kiq(fields_of(number), sent_ns)

            yield send
        finally:
            await broker.shutdown()

    @contextlib.asynccontextmanager
    async def consuming(self, url: str, meter: Meter) -> AsyncIterator[None]:
        broker = self._broker(url)
        self._task(broker, meter.seen)
        receiver = asyncio.create_task(
            run_receiver_task(
                broker,
                max_async_tasks=SLOTS,
                validate_params=False,
                run_startup=True,
                ack_time=AcknowledgeType.WHEN_EXECUTED,
            )
        )
        try:
            yield
        finally:
            logging.disable()  # it warns of its own end
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)


CONTESTANT = OnTaskiq()
