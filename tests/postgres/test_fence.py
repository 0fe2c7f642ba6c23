"""The fence: whoever has been followed commits nothing, ends nothing, and cannot make its successor wait."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.fence import FenceLost
from consumer.postgres import coverage, cycles, ledger, part_ends
from consumer.postgres.coverage import Loaded
from consumer.postgres.ledger import FenceBehind, PartEnd, PartGone, PartId, PartPlan, Taker
from consumer.postgres.part_ends import Ownership
from consumer.postgres.pool import open_pool
from consumer.postgres.states import PartState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Pool

NOW = dt.datetime(2025, 11, 11, 22, 0, tzinfo=dt.UTC)
DAY = dt.date(2025, 11, 11)
PART = PartId(cycle_id=1, task="ohlc_daily", part="splits")
SHORT = dt.timedelta(seconds=2)


@pytest.fixture(autouse=True)
async def cycle(pool: Pool) -> None:
    """A running cycle with one ready part, and one that waits for it."""
    await pool.execute(
        "INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, "
        "pass_started_at, give_up_at) VALUES ($2, 'test', true, $1, 'test', '{ohlc_daily}', 'running', $1, $1, $1)",
        NOW, DAY,
    )  # fmt: skip
    plans = [PartPlan(task="ohlc_daily", part="splits", stage="a"), PartPlan(task="cycle", part="finish", stage="z",
                                                                             needs=("*",))]  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        await ledger.insert_parts(connection, 1, 1, plans)
        await ledger.unblock(connection, 1)


@pytest.fixture
async def impatient(migrated_dsn: str, pool: Pool) -> AsyncIterator[Pool]:
    """The pool of a worker with the shortest lease that there is."""
    async with await open_pool(migrated_dsn, lease=SHORT, size=3) as opened:
        yield opened


async def take(pool: Pool, fence: int) -> None:
    await ledger.take_part(pool, PART, Taker(name=f"worker-{fence}", fence=fence), now=NOW)


async def commit(pool: Pool, fence: int) -> None:
    """Write under *fence*, and end the part."""
    async with ledger.fenced_write(pool, PART, fence=fence) as connection:
        await coverage.record_coverage(connection, "splits", DAY, Loaded(load_id=1, fetched_at=NOW, rows=fence))
        await cycles.lock_cycle(connection, 1)
        await ledger.end_part(connection, PART, PartEnd(state=PartState.DONE, at=NOW))
        await ledger.unblock(connection, 1)


async def test_a_worker_that_was_followed_commits_nothing(pool: Pool) -> None:
    await take(pool, 1)
    await take(pool, 2)
    with pytest.raises(FenceLost):
        await commit(pool, 1)
    assert await pool.fetchval("SELECT count(*) FROM coverage") == 0
    await commit(pool, 2)
    assert await pool.fetchval("SELECT row_count FROM coverage") == 2


async def test_what_is_committed_is_not_begun_again_nor_committed_twice(pool: Pool) -> None:
    await take(pool, 1)
    await commit(pool, 1)
    with pytest.raises(PartGone):
        await take(pool, 2)
    with pytest.raises(FenceLost):
        await commit(pool, 1)
    assert await pool.fetchval("SELECT state FROM part WHERE part = 'finish'") == "ready"


async def test_an_older_token_than_the_ledgers_is_told_so(pool: Pool) -> None:
    await take(pool, 7)
    with pytest.raises(FenceBehind) as behind:
        await take(pool, 7)
    assert behind.value.seen == 7


async def test_whoever_was_followed_may_not_say_how_the_part_ended(pool: Pool) -> None:
    await take(pool, 1)
    await take(pool, 2)
    async with pool.acquire() as connection, connection.transaction():
        assert await part_ends.ownership_of(connection, PART, fence=1) is Ownership.TAKEN
        assert await part_ends.ownership_of(connection, PART, fence=2) is Ownership.OPEN
    await ledger.note_retry(pool, PART, fence=1, reason="late", requests={})
    assert await pool.fetchval("SELECT state FROM part WHERE part = 'splits'") == "running"


async def test_a_part_of_a_cycle_that_was_called_off_neither_begins_nor_commits_nor_ends(pool: Pool) -> None:
    await take(pool, 1)
    await pool.execute("UPDATE cycle SET state = 'cancelled'")
    with pytest.raises(FenceLost):
        await commit(pool, 1)
    with pytest.raises(PartGone):
        await take(pool, 2)
    async with pool.acquire() as connection, connection.transaction():
        assert await part_ends.ownership_of(connection, PART, fence=1) is Ownership.OVER


async def test_a_cancellation_amid_a_commit_lets_nothing_through(pool: Pool) -> None:
    await take(pool, 1)
    with pytest.raises(FenceLost):
        async with ledger.fenced_write(pool, PART, fence=1) as connection:
            await pool.execute("UPDATE cycle SET state = 'cancelled'")  # does not wait for the part's row
            await cycles.lock_cycle(connection, 1)


async def test_a_successor_waits_for_a_commit_in_flight_and_sees_it(pool: Pool) -> None:
    await take(pool, 1)
    async with ledger.fenced_write(pool, PART, fence=1) as connection:
        following = asyncio.create_task(take(pool, 2))
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await ledger.end_part(connection, PART, PartEnd(state=PartState.DONE, at=NOW))
    with pytest.raises(PartGone):
        await following


async def test_a_transaction_frozen_with_the_parts_row_in_hand_is_ended_and_its_successor_goes_on(
    impatient: Pool,
) -> None:
    await take(impatient, 1)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, FenceLost, OSError)):
        async with ledger.fenced_write(impatient, PART, fence=1) as frozen:

            async def follow() -> None:
                while True:  # as delivery does: away, locked or in contention is tried again
                    try:
                        return await take(impatient, 2)
                    except asyncpg.LockNotAvailableError:
                        continue

            await asyncio.wait_for(follow(), 30)  # the server ends the frozen one within a lease
            await coverage.record_coverage(frozen, "splits", DAY, Loaded(load_id=1, fetched_at=NOW, rows=1))
    assert await impatient.fetchval("SELECT count(*) FROM coverage") == 0
    await commit(impatient, 2)


INSERT = (
    "INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, "
    "pass_started_at, give_up_at) VALUES ($2, $3, true, $1, 'test', '{ohlc_daily}', $4, $1, $1, $1)"
)


async def test_the_database_itself_allows_one_cycle_for_a_day_and_occasion_and_one_that_runs(pool: Pool) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(INSERT, NOW, DAY, "test", "waiting")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(INSERT, NOW, DAY, "another occasion", "running")
    await pool.execute(INSERT, NOW, DAY, "another occasion", "waiting")
