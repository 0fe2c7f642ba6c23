"""A program at work on tables to which a newer one has just added columns, and one started on them: up and down."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.postgres import packaged
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from tests.cycle.stack import LEASE, new_york, stack_on
from tests.next_release import BEFORE, TABLES, next_release

if TYPE_CHECKING:
    import pytest

    from tests.cycle.stack import Clock, Market, Stack

NEXT_DAY = dt.date(2025, 11, 12)
WITH_NEXT = "SELECT count(*) FROM pg_attribute WHERE attname = 'of_next' AND attrelid::regclass::text = ANY ($1)"


async def test_a_program_goes_on_with_the_tables_of_the_next_release_and_may_be_started_on_them(
    stack: Stack, postgres_dsn: str, redis_url: str, market: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sessions are open, and have prepared statements of when the columns were not there."""
    assert (await stack.run_cycle()).state == "complete"
    before = await stack.redis.mget(await named(stack))
    with next_release(monkeypatch):
        async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
            assert await migrate(pool) == [BEFORE.name]
    assert await stack.value(WITH_NEXT, list(TABLES)) == len(TABLES), "each has another column"
    await stack.pool.execute("UPDATE ticker_profile SET of_next = 'not for readers of this program'")

    forced = await stack.run_cycle(force=True)
    assert (forced.state, forced.missing) == ("complete", ())
    assert await stack.redis.mget(await named(stack)) == before, "a newer program's column is not this one's to tell"

    async with stack_on(postgres_dsn, redis_url, market, clock) as started:
        clock.at = new_york(NEXT_DAY, "21:00")
        following = await started.run_cycle(NEXT_DAY)
        assert (following.state, following.missing) == ("complete", ())
        assert await started.value("SELECT version FROM schema_version") == packaged.version() + 1


async def named(stack: Stack) -> list[str]:
    return sorted(await stack.redis.keys("metadata:ticker:*"))
