"""Delivers with faststream: a stream subscriber in a consumer group, acknowledged when its handler has ended.

Fastest setting that still acknowledges: a read of a hundred, no argument conversion, no log line a message. One
worker at a time beats several here: a no-op handler never waits, and tasks cost CPU.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import redis.asyncio
from faststream.redis import RedisBroker, StreamSub

from bench.delivery.contestant import Meter, Sender, fields_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READ_AT_ONCE = 100


class OnFaststream:
    """`RedisBroker.subscriber(stream=StreamSub(…))`."""

    stream = "bench:faststream"
    group = "bench"
    setting = f"group, acks on, max_records={READ_AT_ONCE}, max_workers=1, apply_types=False, logger=None"

    def _broker(self, url: str) -> RedisBroker:
        return RedisBroker(url, apply_types=False, logger=None)

    async def _make_group(self, url: str) -> None:
        async with redis.asyncio.Redis.from_url(url) as client:
            with contextlib.suppress(redis.ResponseError):
                await client.xgroup_create(self.stream, self.group, id="0", mkstream=True)

    async def load(self, url: str, count: int) -> None:
        await self._make_group(url)
        async with self._broker(url) as broker:
            for number in range(count):
                await broker.publish({**fields_of(number), "sent": 0}, stream=self.stream)

    @contextlib.asynccontextmanager
    async def sending(self, url: str) -> AsyncIterator[Sender]:
        async with self._broker(url) as broker:

            async def send(number: int, sent_ns: int) -> None:
                await broker.publish({**fields_of(number), "sent": sent_ns}, stream=self.stream)

            yield send

    @contextlib.asynccontextmanager
    async def consuming(self, url: str, meter: Meter) -> AsyncIterator[None]:
        await self._make_group(url)
        broker = self._broker(url)

        @broker.subscriber(stream=StreamSub(self.stream, group=self.group, consumer="one", max_records=READ_AT_ONCE))
        async def handle(work: dict[str, Any]) -> None:
            meter.seen(work["sent"])

        await broker.start()
        try:
            yield
        finally:
            await broker.stop()


CONTESTANT = OnFaststream()
