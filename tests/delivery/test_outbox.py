"""Commit first, send after, send again what is left: killed between any two of these, all work is done once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.delivery.outbox import resend
from consumer.delivery.settle import Ending
from tests.delivery.consumers import LONG_LEASE, at_rest, begun, let_lease_run_out, message, stream_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery, Outgoing
    from consumer.delivery.task_stream import TaskStream

NOW = dt.datetime(2025, 11, 11, 22, tzinfo=dt.UTC)
FOLLOWING = ("after a", "and after a")


class MemoryLedger:
    """Rows of a table: what is to be done, and what was committed. The end of `a` releases what follows it."""

    def __init__(self) -> None:
        self.to_do = {"a"}
        self.commits: list[str] = []

    def commit(self, work: str) -> list[Outgoing]:
        """One transaction; what it releases. Of work that was done already nothing is committed a second time."""
        if work not in self.to_do:
            return []
        self.to_do.remove(work)
        self.commits.append(work)
        released = FOLLOWING if work == "a" else ()
        self.to_do.update(released)
        return [message(name) for name in released]

    async def unsent(self, *, now: dt.datetime) -> Sequence[Outgoing]:
        return [message(name) for name in sorted(self.to_do)]


KILLED_AT = (
    "nothing was committed",
    "committed, nothing sent",
    "committed, sent by somebody who looked, not acknowledged",
    "acknowledged, the reply lost",
)


async def die(at: str, stream: TaskStream, ledger: MemoryLedger, held: Delivery) -> None:
    """Do of the work on *held* what is done before *at*, and no more."""
    if at == KILLED_AT[0]:
        return
    released = ledger.commit("a")
    if at == KILLED_AT[2]:
        assert await resend(stream, ledger, now=NOW) == len(FOLLOWING)
    if at == KILLED_AT[3]:
        for _ in range(2):  # once more, as whoever did not hear
            await stream.settle(held.entry, Ending.ACKNOWLEDGE, key="a", successors=released)


async def work_off(stream: TaskStream, redis: Redis, ledger: MemoryLedger) -> None:
    """What those do that are left: take over, run, and look into the ledger, until nothing is left."""
    for _ in range(10):
        await resend(stream, ledger, now=NOW)
        for row in await redis.xpending_range(stream.channel.stream, stream.channel.group, "-", "+", 10):
            await let_lease_run_out(redis, row["message_id"])
        taken = await stream.claim(10) or await stream.read(10, block=dt.timedelta(milliseconds=1))
        for entry in taken:
            held = await begun(stream, entry)
            released = ledger.commit(entry.fields["task"])
            await stream.settle(held.entry, Ending.ACKNOWLEDGE, key=entry.fields["key"], successors=released)
        if not ledger.to_do and await at_rest(redis):
            return
    raise AssertionError(f"left: {ledger.to_do}")


@pytest.mark.parametrize("at", KILLED_AT)
async def test_killed_at_any_point_between_commit_and_acknowledgement_all_work_is_done_once(
    each_url: str, each_redis: Redis, at: str
) -> None:
    ledger = MemoryLedger()
    async with stream_of(each_url, lease=LONG_LEASE) as dying, stream_of(each_url, lease=LONG_LEASE) as living:
        await resend(dying, ledger, now=NOW)
        await die(at, dying, ledger, await begun(dying))
        await work_off(living, each_redis, ledger)
    assert sorted(ledger.commits) == sorted(["a", *FOLLOWING])


async def test_what_is_under_way_is_not_sent_again_however_often_somebody_looks(redis_url: str, redis: Redis) -> None:
    ledger = MemoryLedger()
    async with stream_of(redis_url, lease=LONG_LEASE) as stream:
        sent = [await resend(stream, ledger, now=NOW) for _ in range(3)]
        await begun(stream)
        sent.append(await resend(stream, ledger, now=NOW))
        await redis.flushall()
        sent.append(await resend(stream, ledger, now=NOW))
    assert sent == [1, 0, 0, 0, 1], "and after Redis has lost it, once more"
