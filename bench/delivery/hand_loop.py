"""Delivers by hand, the floor: read a hundred, a task each with a time limit, acknowledge all of it each 20 ms.

It promises little: no lease, no fence, no retry, no dead letter, and what was acknowledged stays in the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import redis.asyncio

from bench.delivery.contestant import Meter, Sender, fields_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READ_AT_ONCE = 100
TIME_LIMIT_S = 60
ACKNOWLEDGE_EVERY_S = 0.02


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The message, decoded as strictly as msgspec does it."""

    task: str
    trading_day: dt.date
    part: str
    cycle: int
    attempt: int
    force: bool
    requested_by: str
    sent: int = 0


class HandLoop:
    """XREADGROUP, tasks, XACK."""

    stream = "bench:hand"
    group = "bench"
    setting = f"COUNT {READ_AT_ONCE}, a task a message, XACK of all that ended each {ACKNOWLEDGE_EVERY_S * 1000:g} ms"

    async def load(self, url: str, count: int) -> None:
        async with redis.asyncio.Redis.from_url(url) as client:
            await self._make_group(client)
            for first in range(0, count, 500):
                async with client.pipeline(transaction=False) as pipeline:
                    for number in range(first, min(first + 500, count)):
                        pipeline.xadd(self.stream, fields_of(number))
                    await pipeline.execute()

    async def _make_group(self, client: redis.asyncio.Redis) -> None:
        with contextlib.suppress(redis.ResponseError):
            await client.xgroup_create(self.stream, self.group, id="0", mkstream=True)

    @contextlib.asynccontextmanager
    async def sending(self, url: str) -> AsyncIterator[Sender]:
        async with redis.asyncio.Redis.from_url(url) as client:

            async def send(number: int, sent_ns: int) -> None:
                await client.xadd(self.stream, {**fields_of(number), "sent": str(sent_ns)})

            yield send

    @contextlib.asynccontextmanager
    async def consuming(self, url: str, meter: Meter) -> AsyncIterator[None]:
        async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
            await self._make_group(client)
            ended: list[str] = []
            loops = [
                asyncio.create_task(self._read(client, meter, ended)),
                asyncio.create_task(self._acknowledge(client, ended)),
            ]
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    async def _read(self, client: redis.asyncio.Redis, meter: Meter, ended: list[str]) -> None:
        async def handle(entry_id: str, fields: dict[str, str]) -> None:
            async with asyncio.timeout(TIME_LIMIT_S):  # noqa: ASYNC100
                work = msgspec.convert(fields, Work, strict=False)
                meter.seen(work.sent)
            ended.append(entry_id)

        under_way: set[asyncio.Task[None]] = set()
        while True:
            answer = await client.xreadgroup(self.group, "one", {self.stream: ">"}, count=READ_AT_ONCE, block=1000)
            for _, entries in answer or []:
                for entry_id, fields in entries:
                    task = asyncio.create_task(handle(entry_id, fields))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)

    async def _acknowledge(self, client: redis.asyncio.Redis, ended: list[str]) -> None:
        while True:
            await asyncio.sleep(ACKNOWLEDGE_EVERY_S)
            if ended:
                ids, ended[:] = list(ended), []
                await client.xack(self.stream, self.group, *ids)


CONTESTANT = HandLoop()
