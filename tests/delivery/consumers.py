"""Puts consumers on a real Redis whose handler the test writes, and waits for signals instead of sleeping."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
from random import Random
from typing import TYPE_CHECKING, Any

from consumer.cycle.messages import letter_fields, newer_message
from consumer.delivery.entries import Delivery, Entry, Outgoing, Work
from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.leased_worker import LeasedWorker
from consumer.delivery.settle import Policy
from consumer.maintenance_channel import CHANNEL, task_stream
from consumer.runtime import connect_redis, utc_now
from contract import keys
from process.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    from consumer.delivery.entries import Received, Refusal
    from consumer.delivery.settle import Settlement
    from consumer.delivery.task_stream import TaskStream

LEASE = dt.timedelta(seconds=0.5)
LONG_LEASE = dt.timedelta(seconds=60)
DEADLINE_S = 30.0
_names = itertools.count(1)


class ScriptedHandler:
    """Runs what the test gives it, and remembers what it was asked."""

    def __init__(self, run: Callable[[Delivery], Awaitable[list[Outgoing] | None]] | None = None) -> None:
        self._run = run
        self.deliveries: list[Delivery] = []
        self.recorded: list[tuple[str, BaseException]] = []
        self.policy = Policy.RETRY
        self.taken_over_from: list[str | None] = []
        self.record_fails_with: list[BaseException] = []

    def read(self, entry: Entry) -> Work:
        fields = entry.fields
        attempt, waits = int(fields.get("attempt", "1")), int(fields.get("waits", "0"))
        return Work(key=fields.get("key", ""), attempt=attempt, waits=waits, refusal=self.refusal_of(entry))

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        entry, attempt = delivery.entry, delivery.work.attempt + int(counted)
        key = delivery.work.key or f"request:{entry.entry_id}"
        again = {"key": key, "attempt": str(attempt), "waits": str(waits)}
        return Outgoing(fields={**entry.fields, **again}, key=key)

    def put_off(self, received: Received) -> Outgoing:
        return newer_message(received)

    def classify(self, failure: BaseException) -> Policy:
        return self.policy

    def refusal_of(self, entry: Entry) -> str:
        return ""

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        return letter_fields(refusal)

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        return []

    async def taken_over(self, delivery: Delivery) -> None:
        self.taken_over_from.append(delivery.entry.taken_from)

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        self.deliveries.append(delivery)
        return (await self._run(delivery) or []) if self._run else []

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        if self.record_fails_with:
            raise self.record_fails_with.pop()
        self.recorded.append((settlement.ending.value, failure))
        return []

    @property
    def tasks(self) -> list[str]:
        """The `task` field of every delivery, in order."""
        return [delivery.entry.fields["task"] for delivery in self.deliveries]


def message(task: str, *, due_at: dt.datetime | None = None, key: str | None = None, **fields: str) -> Outgoing:
    """A message whose key is its task, unless another is given."""
    key = task if key is None else key
    return Outgoing(fields={"task": task, "key": key, **fields}, key=key, due_at=due_at)


class Consumer:
    """One consumer: its view of the stream, its handler, and its worker while it runs."""

    def __init__(self, stream: TaskStream, handler: ScriptedHandler, url: str, options: WorkerOptions) -> None:
        self.stream, self.handler, self._options = stream, handler, options
        self.lost = 0
        self._stop = asyncio.Event()
        surroundings = Surroundings(
            now=utc_now, random=Random(1), on_lost=self._note_loss, trouble=Trouble("redis_not_reachable")
        )
        self.keeper = keeper_of(url, stream)
        self._leased = LeasedWorker(stream, self.keeper, handler, options, surroundings)
        self._task: asyncio.Task[None] | None = None

    def _note_loss(self) -> None:
        self.lost += 1

    async def nothing_under_way(self) -> bool:
        return self._leased.worker.free_slots == self._options.slots

    def start(self) -> None:
        self._task = asyncio.create_task(self._leased.run(self._stop))

    async def stop(self) -> float:
        """Stop as SIGTERM does; return how long it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._stop.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task
            return loop.time() - began
        return 0.0


def keeper_of(url: str, stream: TaskStream) -> LeaseKeeper:
    loop = asyncio.get_running_loop()
    return LeaseKeeper(url, CHANNEL, consumer=stream.consumer, lease=stream.lease, loop=loop)


@contextlib.asynccontextmanager
async def stream_of(
    url: str, *, lease: dt.timedelta = LEASE, name: str | None = None, blocking_s: float = 10.0
) -> AsyncIterator[TaskStream]:
    """The task stream as a consumer of its own sees it, with the group in place."""
    async with connect_redis(url) as commands, connect_redis(url, timeout_s=blocking_s) as blocking:
        stream = task_stream(commands, blocking, consumer=name or f"consumer-{next(_names)}", lease=lease)
        await stream.ensure_group()
        yield stream


@contextlib.asynccontextmanager
async def consumer_of(
    url: str,
    handler: ScriptedHandler | None = None,
    *,
    lease: dt.timedelta = LEASE,
    started: bool = True,
    blocking_s: float = 10.0,
    **options: Any,
) -> AsyncIterator[Consumer]:
    """A consumer that works until the block ends."""
    async with stream_of(url, lease=lease, blocking_s=blocking_s) as stream:
        consumer = Consumer(stream, handler or ScriptedHandler(), url, WorkerOptions(**options))
        if started:
            consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


async def until(
    look: Callable[[], Awaitable[Any]], *, within_s: float = DEADLINE_S, what: str = "what was awaited"
) -> Any:
    """Look again and again until the answer is true; the deadline only ends a test that would hang."""
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await look()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            return answer
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {within_s} s") from None


async def wait_for(event: asyncio.Event, *, within_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(within_s):
        await event.wait()


async def pending(redis: Redis) -> list[dict[str, Any]]:
    """What the group has handed out: message_id, consumer, time_since_delivered, times_delivered."""
    return list(await redis.xpending_range(keys.TASKS.name, keys.GROUP, "-", "+", 1000))


async def at_rest(redis: Redis) -> bool:
    """Nothing is in the stream, due later or remembered as queued: at one moment, since what is promoted between two
    looks would be in neither."""
    async with redis.pipeline(transaction=True) as looks:
        looks.xlen(keys.TASKS.name)
        looks.zcard(keys.LATER.pattern)
        looks.hlen(keys.LATER_MESSAGES.pattern)
        looks.hlen(keys.QUEUED.pattern)
        return not any(await looks.execute())


async def read_one(stream: TaskStream) -> Entry:
    """The next new entry; where one is there, the server does not wait."""
    entries = await stream.read(1, block=dt.timedelta(seconds=2))
    assert entries, f"nothing to read; {stream.consumer} is not given what others hold: {await others_hold(stream)}"
    return entries[0]


async def others_hold(stream: TaskStream) -> list[tuple[str, str]]:
    """Entry and holder of everything that is handed out."""
    return [(row["message_id"], row["consumer"]) for row in await pending(stream._redis)]


async def begun(stream: TaskStream, entry: Entry | None = None) -> Delivery:
    """The delivery of *entry*, or of the next new one."""
    entry = entry or await read_one(stream)
    delivery = await stream.begin(entry, key=entry.fields.get("key", ""))
    assert delivery is not None
    return delivery


async def let_lease_run_out(redis: Redis, entry_id: str, *, idle: dt.timedelta = LONG_LEASE * 2) -> None:
    """What time would do, at once: the entry has been idle for *idle*; holder and delivery count stay."""
    rows = await redis.xpending_range(keys.TASKS.name, keys.GROUP, entry_id, entry_id, 1)
    await redis.xclaim(
        keys.TASKS.name, keys.GROUP, rows[0]["consumer"], 0, [entry_id],
        idle=int(idle.total_seconds() * 1000), retrycount=rows[0]["times_delivered"], justid=True,
    )  # fmt: skip


async def dead_letters(redis: Redis) -> list[dict[str, str]]:
    return [fields for _, fields in await redis.xrange(keys.DEAD.name)]
