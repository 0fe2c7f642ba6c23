"""What is begun or settled at the same time goes together, and each entry has its own answer all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from consumer.delivery.group_commit import GroupCommit
from consumer.delivery.settle import Ending
from consumer.delivery.task_stream import AT_ONCE, SENT_AT_ONCE
from contract import keys
from tests.delivery.consumers import (
    LONG_LEASE,
    at_rest,
    begun,
    consumer_of,
    dead_letters,
    let_lease_run_out,
    message,
    pending,
    stream_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from redis.asyncio import Redis

    from consumer.delivery.entries import Entry
    from consumer.delivery.task_stream import TaskStream


class Sent:
    """Remembers the calls that were made; answers each number with its double, and refuses negative ones."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, numbers: list[int]) -> Sequence[int | Exception]:
        self.calls.append(numbers)
        await self.may_answer.wait()
        if 13 in numbers:
            raise ConnectionError("thirteen")
        return [number * 2 if number >= 0 else ValueError(str(number)) for number in numbers]


async def test_what_is_asked_while_a_call_is_under_way_goes_together_in_the_next() -> None:
    sent = Sent()
    sent.may_answer.clear()
    group = GroupCommit(sent, most=3)
    first = [asyncio.ensure_future(group.ask(number)) for number in (1, 2)]
    while not sent.calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    later = [asyncio.ensure_future(group.ask(number)) for number in (3, 4, 5, 6)]
    sent.may_answer.set()
    assert await asyncio.gather(*first, *later) == [2, 4, 6, 8, 10, 12]
    assert sent.calls == [[1, 2], [3, 4, 5], [6]]


async def test_a_refusal_reaches_the_one_who_asked_and_nobody_else() -> None:
    group = GroupCommit(Sent(), most=10)
    answers = await asyncio.gather(*(group.ask(number) for number in (1, -1, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4


async def test_a_call_that_fails_fails_for_all_of_it_and_the_next_goes_on() -> None:
    group = GroupCommit(Sent(), most=2)
    answers = await asyncio.gather(*(group.ask(number) for number in (1, 13, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError, int]


async def test_who_stops_waiting_is_left_out_and_stops_nobody() -> None:
    sent = Sent()
    group = GroupCommit(sent, most=10)
    first, second = group.ask(1), group.ask(2)
    first.cancel()
    assert await second == 4
    assert sent.calls == [[2]]


async def read_all(stream: TaskStream, count: int) -> list[Entry]:
    return await stream.read(count, block=LONG_LEASE)


async def test_entries_begun_at_once_get_tokens_of_their_own(each_url: str) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        count = AT_ONCE + 1
        await stream.enqueue([message(f"task {number}") for number in range(count)])
        entries = await read_all(stream, count)
        deliveries = await asyncio.gather(*(begun(stream, entry) for entry in entries))
    assert [delivery.entry for delivery in deliveries] == entries
    assert len({delivery.token for delivery in deliveries}) == count


async def test_one_of_many_settled_at_once_that_was_taken_over_is_refused_alone(
    each_url: str, each_redis: Redis
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream, stream_of(each_url, lease=LONG_LEASE) as heir:
        await stream.enqueue([message(name) for name in ("a", "b", "c")])
        a, b, c = await read_all(stream, 3)
        await asyncio.gather(*(begun(stream, entry) for entry in (a, b, c)))
        await let_lease_run_out(each_redis, b.entry_id)
        await heir.claim(1)
        settled = await asyncio.gather(
            stream.settle(a, Ending.ACKNOWLEDGE, key="a", successors=[message("after a")]),
            stream.settle(b, Ending.ACKNOWLEDGE, key="b", successors=[message("after b")]),
            stream.settle(c, Ending.DEAD_LETTER, key="c", detail=["reason", "no good"]),
        )
        assert settled == [True, False, True]
        assert [row["consumer"] for row in await pending(each_redis)] == [heir.consumer]
        left = [fields["task"] for _, fields in await each_redis.xrange(keys.TASKS.name)]
        assert left == ["b", "after a"]
        assert len(await dead_letters(each_redis)) == 1


async def test_a_settlement_that_redis_refuses_leaves_the_others_settled(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("a"), message("b")])
        a, b = await read_all(stream, 2)
        await asyncio.gather(begun(stream, a), begun(stream, b))
        await each_redis.set(keys.DEAD.name, "somebody's text")
        refused, settled = await asyncio.gather(
            stream.settle(a, Ending.DEAD_LETTER, key="a", detail=["reason", "no good"]),
            stream.settle(b, Ending.ACKNOWLEDGE, key="b"),
            return_exceptions=True,
        )
        assert isinstance(refused, ResponseError) and str(refused).startswith("WRONGTYPE")
        assert settled is True
        assert [row["message_id"] for row in await pending(each_redis)] == [a.entry_id], "nothing was written for it"


async def test_two_entries_of_one_work_begun_at_once_are_begun_once(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        for _ in range(2):
            await each_redis.xadd(keys.TASKS.name, {"task": "a", "key": "a"})
        entries = await read_all(stream, 2)
        begun_once = await asyncio.gather(*(stream.begin(entry, key="a") for entry in entries))
        assert [delivery is not None for delivery in begun_once] == [True, False]
        assert await each_redis.xlen(keys.TASKS.name) == 1


async def test_leases_that_ran_out_are_found_behind_any_number_of_live_ones(
    each_url: str, each_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.delivery.reading.LOOKED_AT", 10)
    monkeypatch.setattr("consumer.delivery.reading.LOOKS_A_CLAIM", 2)
    async with stream_of(each_url, lease=LONG_LEASE) as dead, stream_of(each_url, lease=LONG_LEASE) as heir:
        await dead.enqueue([message(f"task {number}") for number in range(95)])
        entries = await read_all(dead, 95)
        ran_out = [entries[number] for number in (3, 41, 42, 94)]
        for entry in ran_out:
            await let_lease_run_out(each_redis, entry.entry_id)
        rounds = [await heir.claim(1) for _ in range(10)]
        assert [taken.entry_id for round in rounds for taken in round] == [entry.entry_id for entry in ran_out]
        assert await heir.claim(100) == []
        await let_lease_run_out(each_redis, entries[0].entry_id)
        again = [await heir.claim(1) for _ in range(6)]
        assert [taken.entry_id for round in again for taken in round] == [entries[0].entry_id], (
            "and so on from the start"
        )


async def test_a_lease_that_ran_out_is_taken_over_while_new_work_never_ends(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as dead:
        await dead.enqueue([message("left behind")])
        left_behind = await begun(dead)
        await dead.enqueue([message(f"new {number}") for number in range(2_000)])
        async with consumer_of(redis_url, lease=LONG_LEASE, slots=1) as consumer:

            async def at_work() -> bool:
                return len(consumer.handler.deliveries) > 20

            await until(at_work, what="some work")
            await let_lease_run_out(redis, left_behind.entry.entry_id)

            async def taken_over() -> bool:
                return "left behind" in consumer.handler.tasks

            await until(taken_over, what="the take-over")
            await until(lambda: at_rest(redis), what="the end of everything")
            last = consumer.handler.tasks.index("left behind")
    assert last < len(consumer.handler.tasks) - 1, "before the stream was empty"


async def test_more_than_one_call_may_carry_is_sent_and_withdrawn_whole(each_url: str, each_redis: Redis) -> None:
    many = [message(f"task {number}") for number in range(2 * SENT_AT_ONCE + 1)]
    async with stream_of(each_url) as stream:
        assert await stream.enqueue(many) == len(many)
        assert await each_redis.xlen(keys.TASKS.name) == len(many)
        assert await stream.withdraw([one.key for one in many]) == len(many)
        assert await at_rest(each_redis)
