"""What start-up and doctor say of Redis, PostgreSQL and the clocks."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.checks import clocks, orphans, start_up, surroundings
from consumer.checks.finding import Level
from consumer.checks.postgres_server import check_consumers, check_postgres, check_schema
from consumer.checks.redis_server import check_redis, judge
from consumer.maintenance_channel import task_stream
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import Client, open_pool
from consumer.runtime import connect_redis, utc_now
from consumer.source.guard import SourceGuard
from contract import keys
from market.data_source import VENDOR
from tests.delivery.consumers import begun, let_lease_run_out, message
from tests.simulator.servers import redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from consumer.checks.finding import Finding
    from consumer.postgres.pool import Pool

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
        ({"role": "sentinel"}, "redis role", Level.REFUSED),
        ({"cluster_enabled": 1}, "redis role", Level.REFUSED),
        ({"aof_enabled": 0, "rdb_last_save_time": 1_762_898_400}, "redis persistence", Level.WARNING),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, "redis persistence", Level.WARNING),
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


@contextlib.asynccontextmanager
async def redis_as(redis: Redis, url: str, *rules: str) -> AsyncIterator[Redis]:
    """A client of a Redis user that has only what *rules* give."""
    name = f"restricted-{uuid.uuid4().hex[:8]}"
    await redis.execute_command("ACL", "SETUSER", name, "on", ">word", "~*", "&*", *rules)  # type: ignore[no-untyped-call]
    try:
        async with connect_redis(url.replace("unix://", f"unix://{name}:word@")) as client:
            yield client
    finally:
        await redis.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]


async def test_a_redis_that_forbids_info_is_doubtful_and_no_reason_to_stop(redis: Redis, redis_url: str) -> None:
    async with redis_as(redis, redis_url, "+@all", "-@dangerous") as restricted:
        (finding,) = await check_redis(restricted, allow_eviction=False)
        assert (finding.level, "noeviction" in finding.cure) == (Level.UNKNOWN, True)
        await start_up.refuse_unfit_redis(restricted, allow_eviction=False)


async def test_a_redis_user_without_rights_ends_the_start_with_the_cure(redis: Redis, redis_url: str) -> None:
    async with redis_as(redis, redis_url, "-@all", "+hello", "+select", "+client") as powerless:
        with pytest.raises(start_up.StartRefused, match=r"ACL SETUSER … \+@all"):
            await start_up.through_restarts(powerless.ping)
    wrong = redis_url.replace("unix://", "unix://nobody:wrong@")
    async with connect_redis(wrong) as unknown:
        with pytest.raises(start_up.StartRefused, match=r"does not take the one given\. correct REDIS_URL"):
            await start_up.through_restarts(unknown.ping)


async def test_a_replica_is_refused_by_the_name_of_its_primary(servers_dir: Path) -> None:
    """On a server of its own: the tests' Redis must stay what it is."""
    with redis_server("valkey", servers_dir, use="replica") as url:
        async with connect_redis(url) as redis:
            await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(start_up.StartRefused, match=r"replica of 127.0.0.1:1.*set REDIS_URL to the primary"):
                await start_up.refuse_unfit_redis(redis, allow_eviction=False)


async def test_a_database_that_takes_no_writes_is_refused(pool: Pool, redis: Redis) -> None:
    guard = SourceGuard(pool, redis, VENDOR, now=utc_now)
    await start_up.prepare(redis, pool, guard, now=utc_now)
    name = await pool.fetchval("SELECT current_database()")
    await pool.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await pool.expire_connections()
    with pytest.raises(start_up.StartRefused, match=r"read-only.*DATABASE_URL to the primary"):
        await start_up.prepare(redis, pool, guard, now=utc_now)


async def test_a_database_that_is_not_there_ends_the_start_with_the_cure(postgres_dsn: str, pool: Pool) -> None:
    name = await pool.fetchval("SELECT current_database()")
    opening = functools.partial(open_pool, postgres_dsn.replace(name, "not_there"), lease=LEASE, size=1)
    with pytest.raises(start_up.StartRefused, match="CREATE DATABASE, or correct the name in DATABASE_URL"):
        await start_up.through_restarts(opening)


async def test_a_user_that_may_make_no_tables_is_refused_with_the_grant_it_needs(pool: Pool, redis: Redis) -> None:
    role = f"weak_{uuid.uuid4().hex[:8]}"
    await pool.execute(f"CREATE ROLE {role}")
    try:
        async with pool.acquire() as connection:
            await connection.execute(f"SET SESSION AUTHORIZATION {role}")
            findings = await check_postgres(connection)
            await connection.execute("RESET SESSION AUTHORIZATION")
    finally:
        await pool.execute(f"DROP ROLE {role}")
    (rights,) = [one for one in findings if one.check == "postgresql rights"]
    assert rights.level is Level.REFUSED
    assert (
        f"CREATE SCHEMA IF NOT EXISTS maintenance; GRANT USAGE, CREATE ON SCHEMA maintenance, public TO {role}"
        in rights.cure
    )


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
    await pool.execute("INSERT INTO schema_migration (name, checksum) VALUES ('9999_later.before.sql', 'x')")
    assert (await check_schema(pool)).level is Level.OK, "they still serve this program"
    await pool.execute("INSERT INTO schema_migration (name, checksum) VALUES ('0003_of_a_fork.sql', 'x')")
    fork = await check_schema(pool)
    assert (fork.level, "0003_of_a_fork.sql" in fork.seen) == (Level.REFUSED, True)


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


async def test_messages_that_wait_for_a_newer_worker_are_found_with_their_versions(redis: Redis) -> None:
    assert (await orphans.check_versions(redis)).level is Level.OK
    stream = task_stream(redis, redis, consumer="doctor", lease=LEASE)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    await stream.enqueue([message(f"task {number}", due_at=later, version=str(number)) for number in (1, 2, 3, 3)])
    found = await orphans.check_versions(redis)
    assert (found.level, found.seen.split(";")[0]) == (Level.WARNING, "2 wait for a newer worker, of version 2, 3")


async def test_work_that_lost_its_way_is_found(redis: Redis) -> None:
    stream = task_stream(redis, redis, consumer="doctor", lease=LEASE)
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


async def test_whether_a_consumer_is_up_is_told(pool: Pool, postgres_dsn: str) -> None:
    async with await open_pool(
        postgres_dsn, lease=LEASE, size=1, client=Client(name="maintenance command")
    ) as bystander:
        await pool.close()
        assert (await check_consumers(bystander)).level is Level.WARNING
        async with await open_pool(postgres_dsn, lease=LEASE, size=2):
            assert (await check_consumers(bystander)).level is Level.OK


async def test_the_http_port_is_ours_free_or_anothers() -> None:
    async def listen(body: dict[str, object], status: int) -> Finding:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_get("/health", answer)
        async with TestServer(app) as server:
            assert server.port is not None
            return await surroundings.check_http("127.0.0.1", server.port)

    ours, ailing = await listen({"healthy": True}, 200), await listen({"healthy": False}, 503)
    assert (ours.level, ailing.level) == (Level.OK, Level.WARNING)
    assert level([await listen({"hello": 1}, 200)], "http api") is Level.WARNING
    free = await surroundings.check_http("127.0.0.1", 1)
    assert (free.level, free.seen) == (Level.OK, "nobody listens on 127.0.0.1:1")


async def test_what_is_settled_between_two_questions_of_the_doctor_is_not_lost(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = task_stream(redis, redis, consumer="doctor", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([message("a"), message("b")])
    looked = orphans._without_entry

    async def settled_meanwhile(redis: Redis, queued: dict[str, str]) -> set[tuple[str, str]]:
        await redis.hdel(keys.QUEUED.pattern, "a")
        await redis.xdel(keys.TASKS.name, queued["a"])
        return await looked(redis, queued)

    monkeypatch.setattr(orphans, "_without_entry", settled_meanwhile)
    finding = await orphans.check_identities(redis)
    assert (finding.level, finding.seen) == (Level.OK, "0 parked, 1 queued")


async def test_an_open_part_without_a_message_is_found(redis: Redis, pool: Pool) -> None:
    await migrate(pool)
    cycle_id = await pool.fetchval(
        """
        INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at,
                           pass_started_at, give_up_at)
        VALUES ('2025-11-11', 'CLOSED+15m', true, now(), 'rule', '{ohlc_daily}', 'running', now(), now(), now())
        RETURNING cycle_id
        """
    )
    for name in ("rows:0", "rows:1"):
        await pool.execute(
            "INSERT INTO part (cycle_id, task, part, stage, state, pass, payload) "
            "VALUES ($1, 'ohlc_daily', $2, 'bars', 'ready', 1, '{}')", cycle_id, name,
        )  # fmt: skip
    stream = task_stream(redis, redis, consumer="doctor", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([message("ohlc_daily", key=f"{cycle_id}/ohlc_daily/rows:0")])
    finding = await orphans.check_parts(pool, redis, patience=dt.timedelta(0))
    assert (finding.level, "1 of 2 open parts" in finding.seen) == (Level.WARNING, True)
    await stream.enqueue([message("ohlc_daily", key=f"{cycle_id}/ohlc_daily/rows:1")])
    assert (await orphans.check_parts(pool, redis)).level is Level.OK


def test_a_calendar_that_ends_within_a_year_is_a_warning() -> None:
    assert surroundings.check_calendar(dt.date(2026, 11, 24)).level is Level.OK
    assert surroundings.check_calendar(dt.date(2030, 3, 1)).level is Level.WARNING
