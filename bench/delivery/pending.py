"""Measures how long each command of delivery holds up its server while 100,000 entries are pending.

    .venv/bin/python -m bench.delivery.pending [--pending 100000] [--server PATH …]

The same commands as in production, through `TaskStream`, each of its scripts at its greatest size. What counts is the
server's own clock (SLOWLOG): the longest of all calls. The promise, I18, is 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import subprocess
import tempfile
from hashlib import sha1
from typing import TYPE_CHECKING

import redis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.delivery.entries import Entry, Outgoing
from consumer.delivery.reading import LOOKED_AT, LOOKS_A_CLAIM
from consumer.delivery.redis_scripts import SCRIPTS, Beat, script_text
from consumer.delivery.settle import Ending
from consumer.delivery.task_stream import AT_ONCE, MOST_PROMOTED, SENT_AT_ONCE, TaskStream
from consumer.embedded.redis_server import SETTINGS, find_valkey
from consumer.maintenance_channel import CHANNEL, task_stream
from consumer.runtime import connect_redis
from contract import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LEASE = dt.timedelta(hours=1)
HOLDERS = 50
REPEATS = 20
LEAST_US = 20
HELD = 1000
MOST_SUCCESSORS = 300  # a cycle of 11,000 tickers has about a hundred parts
SIZES = {
    "claim": f"looks at {LOOKED_AT}, nothing has run out",
    "enqueue": f"{SENT_AT_ONCE} messages",
    "XREADGROUP": f"up to {HELD} entries",
    "begin": f"{AT_ONCE} at once",
    "beat": f"{AT_ONCE} leases",
    "settle": f"{AT_ONCE} at once, or {MOST_SUCCESSORS} successors",
    "promote": f"{MOST_PROMOTED} of them due",
    "sweep": "one page",
    "collect": f"{HOLDERS} consumers",
    "leave": f"{HELD} held",
    "withdraw": f"{SENT_AT_ONCE} keys",
}
FAR_AWAY = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@contextlib.asynccontextmanager
async def server(binary: str) -> AsyncIterator[str]:
    """A server with the embedded one's settings, on a unix socket."""
    with tempfile.TemporaryDirectory(prefix="bench-pending-") as folder:
        known = {name: value for name, value in SETTINGS.items() if "listpack" not in name}  # 6.2 has another name
        settings = {**known, "dir": folder, "unixsocket": f"{folder}/redis.sock"}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        process = subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            await answers(f"unix://{folder}/redis.sock")
            yield f"unix://{folder}/redis.sock"
        finally:
            process.terminate()
            process.wait()


async def answers(url: str) -> None:
    async with asyncio.timeout(10), Redis.from_url(url) as client:
        while True:
            with contextlib.suppress(RedisUnreachable):
                await client.ping()
                return
            await asyncio.sleep(0.02)


def messages(what: str, first: int, count: int, due_at: dt.datetime | None = None) -> list[Outgoing]:
    names = [f"{what}/{number}" for number in range(first, first + count)]
    return [
        Outgoing(fields={"task": "ohlc_daily", "part": name, "cycle": "42"}, key=name, due_at=due_at) for name in names
    ]


async def fill(url: str, count: int) -> None:
    """Have *count* entries held by HOLDERS consumers, and as many messages parked until far away."""
    async with connect_redis(url, timeout_s=60) as client:
        for number in range(HOLDERS):
            holder = task_stream(client, client, consumer=f"holder-{number}", lease=LEASE)
            await holder.ensure_group()
            share = count // HOLDERS
            await holder.enqueue(messages("held", number * share, share))
            await holder.read(share, block=dt.timedelta(seconds=1))
            await holder.enqueue(messages("parked", number * share, share, FAR_AWAY))


class Clock:
    """The server's own measure of each script, by name."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._names = {sha1(script_text(name).encode(), usedforsecurity=False).hexdigest(): name for name in SCRIPTS}

    async def start(self) -> None:
        await self._client.config_set("slowlog-log-slower-than", LEAST_US)
        await self._client.config_set("slowlog-max-len", 10_000)

    async def note(self, longest: dict[str, float]) -> None:
        """Raise *longest*, milliseconds by name, to what was called since the last look."""
        for row in await self._client.slowlog_get(10_000):
            words = row["command"].decode(errors="replace").split(" ", 2)
            name = self._names.get(words[1]) if words[0] == "EVALSHA" else words[0]
            if name in SIZES:
                longest[name] = max(longest.get(name, 0.0), row["duration"] / 1000)
        await self._client.slowlog_reset()


class Measured:
    """Each command at its greatest size."""

    def __init__(self, url: str, stream: TaskStream, client: Redis) -> None:
        self._url = url
        self._stream = stream
        self._client = client
        self._number = 0
        self._held: list[Entry] = []

    async def call_everything(self) -> None:
        await self._stream.claim(64)
        await self._enqueue()
        await self._read()
        await self._begin()
        await self._beat()
        await self._settle()
        await self._settle_with_successors()
        await self._promote()
        await self._stream.sweep()
        await self._stream.collect_consumers(idle=dt.timedelta(hours=1))
        await self._leave()
        await self._withdraw()

    def _next(self, count: int, due_at: dt.datetime | None = None) -> list[Outgoing]:
        first, self._number = self._number, self._number + count
        return messages("own", first, count, due_at)

    async def _enqueue(self) -> None:
        await self._stream.enqueue(self._next(AT_ONCE))

    async def _read(self) -> None:
        self._held = await self._stream.read(AT_ONCE, block=dt.timedelta(seconds=1))

    async def _begin(self) -> None:
        await asyncio.gather(*(self._stream.begin(entry, key=entry.fields["part"]) for entry in self._held))

    async def _beat(self) -> None:
        ids = [entry.entry_id for entry in self._held]
        with redis.Redis.from_url(self._url) as client:  # a thread's, as in the product
            beat = Beat(client, CHANNEL, consumer=self._stream.consumer)
            await asyncio.to_thread(beat, ids)

    async def _settle(self) -> None:
        settled = (self._stream.settle(e, Ending.ACKNOWLEDGE, key=e.fields["part"]) for e in self._held)
        await asyncio.gather(*settled)

    async def _settle_with_successors(self) -> None:
        await self._stream.enqueue(self._next(1))
        (entry,) = await self._stream.read(1, block=dt.timedelta(seconds=1))
        await self._stream.begin(entry)
        following = self._next(MOST_SUCCESSORS)
        await self._stream.settle(entry, Ending.ACKNOWLEDGE, key=entry.fields["part"], successors=following)
        await self._forget(following)

    async def _forget(self, sent: list[Outgoing]) -> None:
        """Put things back, by commands that are not measured."""
        found = await self._client.hmget(keys.QUEUED.pattern, [message.key for message in sent])
        ids = [entry_id for entry_id in found if entry_id]
        await self._client.xack(keys.TASKS.name, keys.GROUP, *ids)
        await self._client.xdel(keys.TASKS.name, *ids)
        await self._client.hdel(keys.QUEUED.pattern, *(message.key for message in sent))

    async def _withdraw(self) -> None:
        await self._stream.enqueue(messages("unwanted", 0, SENT_AT_ONCE))
        await self._stream.withdraw([message.key for message in messages("unwanted", 0, SENT_AT_ONCE)])

    async def _promote(self) -> None:
        due = self._next(100, FAR_AWAY)
        await self._stream.enqueue(due)
        await self._client.zadd(keys.LATER.pattern, {message.key: 1 for message in due})
        await self._stream.promote()
        await self._forget(due)

    async def _leave(self) -> None:
        leaving = task_stream(self._client, self._client, consumer="leaving", lease=LEASE)
        held = self._next(HELD)
        await leaving.enqueue(held)
        await leaving.read(len(held), block=dt.timedelta(seconds=1))
        await leaving.leave()
        await self._forget(held)


async def measure(binary: str, count: int) -> None:
    async with server(binary) as url:
        await fill(url, count)
        async with connect_redis(url, timeout_s=60) as client:
            clock = Clock(client)
            measured = Measured(url, task_stream(client, client, consumer="measured", lease=LEASE), client)
            info = await client.info("server")
            print(
                f"\n{info.get('valkey_version') or info['redis_version']} ({binary}): {count:,} pending of "
                f"{HOLDERS} consumers, {count:,} parked; longest of {REPEATS}"
            )
            longest: dict[str, float] = {}
            await measured.call_everything()  # has the scripts compiled
            await clock.start()
            for _ in range(REPEATS):
                await measured.call_everything()
                await clock.note(longest)
            for name, size in SIZES.items():
                print(f"{name + ', ' + size:<52}{longest.get(name, LEAST_US / 1000):>8.2f} ms")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pending", type=int, default=100_000)
    parser.add_argument("--server", nargs="*", default=[str(find_valkey())], help="binaries; else the embedded one")
    arguments = parser.parse_args()
    print(f"a claim looks at {LOOKED_AT:,} entries a call, at most {LOOKS_A_CLAIM} calls")
    for binary in arguments.server:
        await measure(binary, arguments.pending)


if __name__ == "__main__":
    asyncio.run(main())
