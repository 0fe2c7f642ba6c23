"""No default of a server, role, database or pooler decides what our sessions do: it is set, or refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from consumer.checks import start_up
from consumer.checks.finding import Level
from consumer.checks.postgres_server import check_postgres
from consumer.checks.postgres_sessions import check_sessions
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.session import WHATEVER_THE_SERVER_SAYS
from consumer.runtime import utc_now
from consumer.source.guard import SourceGuard
from market.data_source import VENDOR
from tests.conftest import execute
from tests.faults.pooler import pooler_before

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.embedded.postgres_server import EmbeddedPostgres

LEASE = dt.timedelta(seconds=10)
STATEMENTS_OF_A_NIGHT = 250  # as counted over four nights of a small market, its start included
HOSTILE = {
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "2s",
    "transaction_timeout": "2s",
    "jit": "on",
    "timezone": "Asia/Kolkata",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "on",
    "client_encoding": "LATIN1",
}
OURS = {
    **WHATEVER_THE_SERVER_SAYS, "statement_timeout": "5min", "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s", "idle_session_timeout": "0", "transaction_timeout": "0",
    "client_encoding": "UTF8",
}  # fmt: skip


def name_in(dsn: str) -> str:
    return dsn.split("?")[0].rsplit("/", 1)[1]


async def test_what_a_database_prescribes_changes_nothing_in_our_sessions_however_often_they_are_used(
    postgres_server: EmbeddedPostgres, postgres_dsn: str
) -> None:
    name = name_in(postgres_dsn)
    for setting, value in HOSTILE.items():
        await execute(postgres_server.dsn, f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")
    try:
        await sessions_are_as_they_should_be(postgres_dsn)
    finally:
        await execute(postgres_server.dsn, f'ALTER DATABASE "{name}" RESET ALL')


async def sessions_are_as_they_should_be(dsn: str) -> None:
    async with await open_pool(dsn, lease=LEASE, size=1) as pool:
        for _ in range(2):  # given back and taken again
            rows = await pool.fetch(
                "SELECT name, current_setting(name) AS now FROM unnest($1::text[]) AS s (name)", list(OURS)
            )
            assert {row["name"]: row["now"] for row in rows} == OURS
        await migrate(pool)
        assert (await check_sessions(pool)).level is Level.OK


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_all_names_is_refused_with_the_cure(
    postgres_server: EmbeddedPostgres, redis: Redis, encoding: str
) -> None:
    name = f"narrow_{uuid.uuid4().hex[:8]}"
    await execute(
        postgres_server.dsn,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'",
    )
    dsn = postgres_server.dsn.replace("/postgres?", f"/{name}?", 1)
    try:
        async with await open_pool(dsn, lease=LEASE, size=1) as pool:
            guard = SourceGuard(pool, redis, VENDOR, now=utc_now)
            with pytest.raises(
                start_up.StartRefused, match=rf"{encoding}: it cannot hold all names\. CREATE DATABASE … ENCODING"
            ):
                await start_up.prepare(redis, pool, guard, now=utc_now)
            assert await pool.fetchval("SELECT to_regclass('schema_migration')") is None, "nothing was written"
    finally:
        await execute(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_role_that_switches_foreign_keys_off_is_refused(
    postgres_server: EmbeddedPostgres, postgres_dsn: str
) -> None:
    name = name_in(postgres_dsn)
    await execute(postgres_server.dsn, f'ALTER DATABASE "{name}" SET session_replication_role = replica')
    async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
        (found,) = [one for one in await check_postgres(pool) if one.level is Level.REFUSED]
    assert "foreign keys are not kept" in found.seen


async def test_a_session_needs_no_start_up_parameter_that_a_pooler_refuses(postgres_dsn: str) -> None:
    async with pooler_before(postgres_dsn, deals=False) as dsn:
        async with await open_pool(dsn, lease=LEASE, size=3) as pool:
            found = await check_sessions(pool)
            assert (found.level, found.seen) == (Level.OK, "through a pooler that keeps them")
            assert await pool.fetchval("SELECT current_setting('lock_timeout')") == "10s"
            assert await migrate(pool)


async def test_a_start_up_parameter_that_is_refused_ends_the_start_with_the_cure(postgres_dsn: str) -> None:
    async with pooler_before(postgres_dsn, deals=False) as dsn:
        opening = functools.partial(open_pool, f"{dsn}&work_mem=64MB", lease=LEASE, size=1)
        with pytest.raises(start_up.StartRefused, match=r"unsupported startup parameter: work_mem\. set DATABASE_URL"):
            await start_up.through_restarts(opening)


@pytest.mark.parametrize(("deals", "sessions"), [(True, 4), (True, 1), (False, 1)])
async def test_a_pooler_that_deals_sessions_out_or_has_too_few_is_refused(
    postgres_dsn: str, deals: bool, sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.checks.postgres_sessions.SECOND_WITHIN_S", 0.2)

    async def start() -> None:
        async with await open_pool(dsn, lease=LEASE, size=3) as pool:
            start_up._judge([await check_sessions(pool)])

    async with pooler_before(postgres_dsn, deals=deals, sessions=sessions) as dsn:
        with pytest.raises(start_up.StartRefused, match="pool_mode = session"):
            await start_up.through_restarts(start)


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        ([7, 7, 7, 7, 7, 7], Level.OK),
        ([7, 8, 7, 7, 7, 7], Level.REFUSED),  # once there were two of us
        ([7, 7, 7, 7, 8, 7], Level.REFUSED),  # once somebody else's transaction held one
    ],
)
async def test_a_pooler_that_keeps_prepared_statements_and_nothing_else_is_seen_by_its_backends(
    seen: list[int], level: Level
) -> None:
    """pgbouncer since 1.21 prepares statements anew wherever they are used: they tell nothing any more."""
    left = iter(seen)

    class Pooled:
        def get_server_pid(self) -> int:
            return 1  # made up

        async def fetchval(self, _: str) -> int:
            return next(left)

        async def execute(self, _: str) -> None: ...

        def transaction(self) -> contextlib.AbstractAsyncContextManager[None]:
            return contextlib.nullcontext()

    class Sessions:
        def acquire(self) -> contextlib.AbstractAsyncContextManager[Pooled]:
            return contextlib.nullcontext(Pooled())

    pool: Any = Sessions()
    assert (await check_sessions(pool)).level is level


async def test_a_session_prepares_each_of_a_nights_statements_once(migrated_dsn: str) -> None:
    pool = await open_pool(migrated_dsn, lease=LEASE, size=1)
    try:
        for _ in range(2):
            for number in range(STATEMENTS_OF_A_NIGHT):
                await pool.fetchval(f"SELECT {number}")
        prepared = await pool.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ '^SELECT [0-9]+$'"
        )
        closed_and_prepared_anew = await pool.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ '^SELECT [0-9]+$' "
            "AND generic_plans + custom_plans <> 2"
        )
    finally:
        await pool.close()
    assert (prepared, closed_and_prepared_anew) == (STATEMENTS_OF_A_NIGHT, 0)
