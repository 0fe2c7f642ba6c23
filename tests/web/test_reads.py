"""Kept answers: made once for all who ask, until something else stands, within bounds of bytes, number and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.postgres.coverage import Load, record_load
from consumer.postgres.ledger import PartId
from consumer.postgres.pool import open_pool
from consumer.web.reads import Answer, Bounds, Reads, TooBusy
from tests.cycle.stack import EVENING, until
from tests.postgres.test_silent_sessions import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Connection, Pool


class Maker:
    """Makes an answer of a given length, counts how often, and waits until it may."""

    def __init__(self, length: int = 10) -> None:
        self.made, self.length = 0, length
        self.may = asyncio.Event()
        self.may.set()
        self.began = asyncio.Event()

    async def __call__(self, connection: Connection) -> Answer:
        self.made += 1
        self.began.set()
        await self.may.wait()
        assert await connection.fetchval("SHOW transaction_read_only") == "on"
        return Answer(body=b"1" * self.length)


@pytest.fixture(name="pool")
async def pool_(migrated_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(migrated_dsn, lease=LEASE, size=4) as found:
        yield found


async def _load(pool: Pool) -> None:
    part = PartId(cycle_id=1, task="ohlc_daily", part="any")
    async with pool.acquire() as connection:
        await record_load(connection, part, Load(fence=1, source="test", fetched_at=EVENING, rows=1))


async def test_an_answer_is_kept_until_something_is_loaded_or_a_minute_is_over(pool: Pool) -> None:
    now = [0.0]
    reads, make = Reads(pool, clock=lambda: now[0]), Maker()
    for _ in range(3):
        await reads.answer("key", make)
    await reads.answer("other", make)
    assert (make.made, reads.counts.hits, reads.counts.misses) == (2, 2, 2)
    await _load(pool)
    now[0] += 0.2
    await reads.answer("key", make)
    assert make.made == 2, "looked at four times a second, not more"
    now[0] += 0.1
    await reads.answer("key", make)
    assert make.made == 3
    now[0] += 61
    await reads.answer("key", make)
    assert make.made == 4


async def test_who_asks_for_the_same_at_once_waits_for_one_and_who_goes_leaves_it_to_the_others(pool: Pool) -> None:
    reads, make = Reads(pool), Maker()
    make.may.clear()
    asking = [asyncio.create_task(reads.answer("key", make)) for _ in range(20)]
    await make.began.wait()
    asking[0].cancel()
    make.may.set()
    answers = await asyncio.gather(*asking[1:])
    assert make.made == 1
    assert {answer.etag for answer in answers} == {answers[0].etag}


async def test_what_is_kept_is_bounded_in_bytes_and_the_least_asked_for_goes_first(pool: Pool) -> None:
    reads, make = Reads(pool, Bounds(most_bytes=5_000)), Maker(1_000)
    for key in "abc":
        await reads.answer(key, make)
    await reads.answer("a", make)
    await reads.answer("d", make)
    assert reads.kept_bytes <= 5_000
    made = make.made
    await reads.answer("a", make)
    assert make.made == made
    await reads.answer("b", make)
    assert make.made == made + 1
    giant = Maker(6_000)
    await reads.answer("giant", giant)
    await reads.answer("giant", giant)
    assert (giant.made, reads.kept_bytes <= 5_000) == (2, True)


async def test_more_than_can_be_read_in_time_are_sent_away_and_the_rest_is_answered(pool: Pool) -> None:
    reads, make = Reads(pool, Bounds(at_once=1, waiting=2)), Maker()
    make.may.clear()
    asking = [asyncio.create_task(reads.answer(f"key {number}", make)) for number in range(3)]

    async def all_wait() -> bool:
        return len(reads._making) == 3

    await until(all_wait, what="three questions")
    with pytest.raises(TooBusy, match="ask again in a second"):
        await reads.answer("one more", make)
    assert make.made <= 1, "one at a time"
    make.may.set()
    await asyncio.gather(*asking)
    assert (make.made, reads.counts.refused) == (3, 1)


async def test_an_answer_that_does_not_come_in_time_is_given_up_and_its_connection_is_free(pool: Pool) -> None:
    reads = Reads(pool, Bounds(within_s=0.2, at_once=1))

    async def slow(connection: Connection) -> Answer:
        await connection.execute("SELECT pg_sleep(60)")
        raise AssertionError("it is given up before")

    with pytest.raises(TooBusy, match="no answer within"):
        await reads.answer("slow", slow)
    patient = Reads(pool)
    assert (await patient.answer("key", Maker())).body == b"1" * 10
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
        )
        == 0
    )
    await reads.close()
