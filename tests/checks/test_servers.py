"""What start-up and doctor say of Redis, PostgreSQL and the clocks."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.checks import clocks, orphans, start_up, surroundings
from consumer.checks.finding import Level
from consumer.checks.postgres_server import check_postgres, check_schema
from consumer.checks.redis_server import check_redis, judge
from consumer.delivery.task_stream import TaskStream
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from producers import keys
from tests.delivery.consumers import begun, let_lease_run_out, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from consumer.checks.finding import Finding
    from consumer.postgres.ledger import Pool

LEASE = dt.timedelta(seconds=10)
NOW = dt.datetime(2025, 11, 11, 22, 0, tzinfo=dt.UTC)
SOUND = {
    "redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction", "maxmemory": 0, "aof_enabled": 1,
    "used_memory": 1,
}  # fmt: skip


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(postgres_dsn, lease=LEASE, size=2) as opened:
        yield opened


def level(findings: list[Finding], check: str) -> Level:
    (found,) = [one for one in findings if one.check == check]
    assert found.cure or found.level is Level.OK, "what is not as it should be names its cure"
    return found.level


async def test_the_embedded_redis_is_sound(redis: Redis) -> None:
    findings = await check_redis(redis, allow_eviction=False)
    assert {one.level for one in findings} <= {Level.OK, Level.WARNING}
    assert level(findings, "redis version") is Level.OK


@pytest.mark.parametrize(
    ("changed", "check", "expected"),
    [
        ({}, "redis eviction", Level.OK),
        ({"maxmemory_policy": "allkeys-lru"}, "redis eviction", Level.REFUSED),
        ({"maxmemory_policy": "volatile-lru"}, "redis eviction", Level.REFUSED),
        ({"maxmemory_policy": ""}, "redis eviction", Level.UNKNOWN),
        ({"redis_version": "6.2.14"}, "redis version", Level.OK),
        ({"redis_version": "6.0.16"}, "redis version", Level.REFUSED),
        ({"redis_version": "5.0.14"}, "redis version", Level.REFUSED),
        ({"redis_version": "10.0.0"}, "redis version", Level.OK),
        ({"redis_version": ""}, "redis version", Level.UNKNOWN),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2", "server_name": "valkey"}, "redis version", Level.OK),
        ({"role": "slave", "master_host": "h", "master_port": 1}, "redis role", Level.REFUSED),
        ({"aof_enabled": 0}, "redis persistence", Level.WARNING),
        ({"aof_last_write_status": "err"}, "redis persistence", Level.WARNING),
        ({"maxmemory": 100, "used_memory": 95}, "redis memory", Level.WARNING),
    ],
)
def test_an_info_is_judged(changed: dict[str, Any], check: str, expected: Level) -> None:
    assert level(judge({**SOUND, **changed}, allow_eviction=False), check) is expected


async def test_a_redis_that_evicts_is_refused_unless_it_is_allowed(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(start_up.StartRefused, match="CONFIG SET maxmemory-policy noeviction"):
            await start_up.refuse_unfit_redis(redis, allow_eviction=False)
        await start_up.refuse_unfit_redis(redis, allow_eviction=True)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")


async def test_a_database_that_takes_no_writes_is_refused(pool: Pool) -> None:
    await start_up.refuse_unfit_postgres(pool)
    name = await pool.fetchval("SELECT current_database()")
    await pool.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await pool.expire_connections()
    with pytest.raises(start_up.StartRefused, match=r"read-only.*DATABASE_URL to the primary"):
        await start_up.refuse_unfit_postgres(pool)


async def test_durability_that_is_off_is_a_warning(pool: Pool) -> None:
    name = await pool.fetchval("SELECT current_database()")
    await pool.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await pool.expire_connections()
    findings = await check_postgres(pool)
    assert level(findings, "postgresql durability") is Level.WARNING
    assert level(findings, "postgresql role") is Level.OK


async def test_the_schema_is_compared_with_the_migrations_of_this_version(pool: Pool) -> None:
    assert (await check_schema(pool)).level is Level.WARNING
    await migrate(pool)
    assert (await check_schema(pool)).level is Level.OK
    await pool.execute("INSERT INTO schema_migration (name, checksum) VALUES ('9999_later.sql', 'x')")
    later = await check_schema(pool)
    assert (later.level, "9999_later.sql" in later.seen) == (Level.REFUSED, True)


@pytest.mark.parametrize(
    ("seconds", "expected", "seen"),
    [(0.05, Level.OK, "agrees"), (-1.5, Level.OK, "1.5 s behind"), (9, Level.WARNING, "8.9 s ahead"),
     (-9, Level.WARNING, "9.0 s behind")],
)  # fmt: skip
def test_only_what_the_round_trip_does_not_explain_is_skew(seconds: float, expected: Level, seen: str) -> None:
    after = NOW + dt.timedelta(seconds=0.1)
    finding = clocks.judge("clock", NOW, NOW + dt.timedelta(seconds=seconds), after)
    assert (finding.level, finding.seen) == (expected, seen)


async def test_the_clocks_of_the_servers_here_agree(redis: Redis, pool: Pool) -> None:
    def now() -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    assert (await clocks.check_redis_clock(redis, now=now)).level is Level.OK
    assert (await clocks.check_postgres_clock(pool, now=now)).level is Level.OK
    wrong = await clocks.check_redis_clock(redis, now=lambda: now() - dt.timedelta(minutes=5))
    assert wrong.level is Level.WARNING


async def test_work_that_lost_its_way_is_found(redis: Redis) -> None:
    stream = TaskStream(redis, redis, consumer="doctor", lease=LEASE)
    assert {one.level for one in await orphans.check_groups(redis)} == {Level.WARNING}
    await stream.ensure_group()
    await stream.enqueue([message("a"), message("b", due_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))])
    held = await begun(stream)
    assert (await orphans.check_pending(redis, lease=LEASE)).level is Level.OK
    assert (await orphans.check_identities(redis)).level is Level.OK

    await let_lease_run_out(redis, held.entry.entry_id)
    assert "1 without a living holder" in (await orphans.check_pending(redis, lease=LEASE)).seen
    await redis.xdel(keys.TASKS.name, held.entry.entry_id)
    assert "1 without a message" in (await orphans.check_pending(redis, lease=LEASE)).seen
    assert "1 due or queued without a message" in (await orphans.check_identities(redis)).seen
    await redis.zrem(keys.LATER.pattern, "b")
    assert "1 parked without a time" in (await orphans.check_identities(redis)).seen


def test_a_calendar_that_ends_within_a_year_is_a_warning() -> None:
    assert surroundings.check_calendar(dt.date(2026, 11, 24)).level is Level.OK
    assert surroundings.check_calendar(dt.date(2030, 3, 1)).level is Level.WARNING
