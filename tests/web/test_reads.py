"""Kept answers: made once for all who ask, until something else stands, within bounds of bytes, number and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.postgres.coverage import Load, record_coverage, record_load
from consumer.postgres.ledger import PartId
from consumer.postgres.pool import Client, open_pool
from consumer.web.reads import Answer, Bounds, Question, Reads, TooBusy
from contract import data_sets
from tests.cycle.stack import CALENDAR, DAY, EVENING, until
from tests.postgres.test_silent_sessions import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Connection, Pool
    from consumer.web.known import Known
    from consumer.web.reads import Make


class Maker:
    """Makes an answer of a given length, counts how often, and waits until it may."""

    def __init__(self, length: int = 10) -> None:
        self.made, self.length = 0, length
        self.may = asyncio.Event()
        self.may.set()
        self.began = asyncio.Event()

    async def __call__(self, connection: Connection, known: Known) -> Answer:
        self.made += 1
        self.began.set()
        await self.may.wait()
        await connection.fetchval("SELECT 1")
        return Answer(body=b"1" * self.length)


@pytest.fixture(name="pool")
async def pool_(migrated_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(migrated_dsn, lease=LEASE, size=4) as found:
        yield found


def asking(key: str, make: Make) -> Question:
    return Question(key=key, made_from=(data_sets.ATR,), make=make)


async def _load(pool: Pool, data_set: str) -> None:
    part = PartId(cycle_id=1, task="ohlc_daily", part="any")
    async with pool.acquire() as connection:
        load = await record_load(connection, part, Load(fence=1, source="test", fetched_at=EVENING, rows=1))
        await record_coverage(connection, data_set, DAY, load)


async def test_an_answer_is_kept_until_something_is_loaded_or_a_minute_is_over(pool: Pool) -> None:
    now = [0.0]
    reads, make = Reads(pool, CALENDAR, clock=lambda: now[0]), Maker()
    for _ in range(3):
        await reads.answer(asking("key", make))
    await reads.answer(asking("other", make))
    assert (make.made, reads.counts.hits, reads.counts.misses) == (2, 2, 2)
    await _load(pool, data_sets.ATR)
    now[0] += 0.2
    await reads.answer(asking("key", make))
    assert make.made == 2, "looked at four times a second, not more"
    now[0] += 0.1
    await reads.answer(asking("key", make))
    assert make.made == 3
    await _load(pool, data_sets.SPLITS)
    now[0] += 0.3
    await reads.answer(asking("key", make))
    assert make.made == 3, "it is not made from those"
    now[0] += 61
    await reads.answer(asking("key", make))
    assert make.made == 4


async def test_who_asks_for_the_same_at_once_waits_for_one_and_who_goes_leaves_it_to_the_others(pool: Pool) -> None:
    reads, make = Reads(pool, CALENDAR), Maker()
    make.may.clear()
    waiting = [asyncio.create_task(reads.answer(asking("key", make))) for _ in range(20)]
    await make.began.wait()
    waiting[0].cancel()
    make.may.set()
    answers = await asyncio.gather(*waiting[1:])
    assert make.made == 1
    assert {answer.etag for answer in answers} == {answers[0].etag}


async def test_what_is_kept_is_bounded_in_bytes_and_the_least_asked_for_goes_first(pool: Pool) -> None:
    reads, make = Reads(pool, CALENDAR, Bounds(most_bytes=10_000)), Maker(1_000)
    for key in "abc":
        await reads.answer(asking(key, make))
    await reads.answer(asking("a", make))
    await reads.answer(asking("d", make))
    assert reads.kept_bytes <= 10_000
    made = make.made
    await reads.answer(asking("a", make))
    assert make.made == made
    await reads.answer(asking("b", make))
    assert make.made == made + 1
    giant = Maker(12_000)
    await reads.answer(asking("giant", giant))
    await reads.answer(asking("giant", giant))
    assert (giant.made, reads.kept_bytes <= 10_000) == (2, True)


async def test_more_than_can_be_read_in_time_are_sent_away_and_the_rest_is_answered(pool: Pool) -> None:
    reads, make = Reads(pool, CALENDAR, Bounds(at_once=1, waiting=2)), Maker()
    make.may.clear()
    waiting = [asyncio.create_task(reads.answer(asking(f"key {number}", make))) for number in range(3)]

    async def all_wait() -> bool:
        return len(reads._making) == 3

    await until(all_wait, what="three questions")
    with pytest.raises(TooBusy, match="ask again in a second"):
        await reads.answer(asking("one more", make))
    assert make.made <= 1, "one at a time"
    make.may.set()
    await asyncio.gather(*waiting)
    assert (make.made, reads.counts.refused) == (3, 1)


async def test_an_answer_that_does_not_come_in_time_is_given_up_and_its_connection_is_free(pool: Pool) -> None:
    reads = Reads(pool, CALENDAR, Bounds(within_s=0.2, at_once=1))

    async def slow(connection: Connection, known: Known) -> Answer:
        await connection.execute("SELECT pg_sleep(60)")
        raise AssertionError("it is given up before")

    with pytest.raises(TooBusy, match="no answer within"):
        await reads.answer(asking("slow", slow))
    patient = Reads(pool, CALENDAR)
    assert (await patient.answer(asking("key", Maker()))).body == b"1" * 10

    async def is_over() -> bool:
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
        return int(await pool.fetchval(sleeping)) == 0

    await until(is_over, what="the end of a statement that nobody waits for")  # the server takes a moment to end it
    await reads.close()


async def test_sessions_that_read_for_others_can_write_nothing(migrated_dsn: str) -> None:
    async with await open_pool(migrated_dsn, lease=LEASE, size=1, client=Client(read_only=True)) as reading:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reading.execute("DELETE FROM coverage")
