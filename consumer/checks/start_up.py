"""Refuses to start on servers on which a promise of this service cannot be kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from loguru import logger
from redis.exceptions import RedisError

from consumer.checks.clocks import check_postgres_clock, check_redis_clock
from consumer.checks.finding import Finding, Level
from consumer.checks.postgres_server import check_postgres
from consumer.checks.postgres_sessions import check_sessions
from consumer.checks.redis_server import check_redis
from consumer.checks.refusals import POSTGRES_REFUSALS, refusal_in
from consumer.postgres.migrate import BY_ITSELF, Upgrade, migrate
from consumer.postgres.pool import BUSY_ERRORS
from consumer.postgres.schema import read_schema
from consumer.postgres.versions import Waiting
from process.trouble import Trouble

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from consumer.source.guard import SourceGuard

T = TypeVar("T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


class StartRefused(Exception):
    """The servers are not fit for this service; the text holds one line a finding, with its cure."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(f"{one.check}: {one.seen}. {one.cure}" for one in findings))
        self.findings = findings


async def through_restarts(step: Callable[[], Awaitable[T]]) -> T:
    """Return what *step* gives; it is taken again (and said so) while a server starts, loads or goes away in it.

    Raises what no waiting cures: StartRefused for refused credentials, and everything that is not the server's absence.
    """
    trouble = Trouble("server_not_reachable", first_pause_s=FIRST_WAIT_S, longest_pause_s=LONGEST_WAIT_S)
    while True:
        try:
            return await step()
        except Waiting as error:
            await asyncio.sleep(trouble.met(error, event="schema_waited_for"))
        except (RedisError, *BUSY_ERRORS, *POSTGRES_REFUSALS) as error:
            if (finding := refusal_in(error)) is not None:
                raise StartRefused([finding]) from error
            sort = "redis_not_reachable" if isinstance(error, RedisError) else "postgres_not_reachable"
            await asyncio.sleep(trouble.met(error, event=sort))


async def refuse_unfit_redis(redis: Redis, *, allow_eviction: bool) -> None:
    """Log what is doubtful about Redis. Raises StartRefused, or RedisError also while it is loading."""
    await redis.ping()  # INFO and TIME answer while the server reads its files, nothing else does
    _judge(await check_redis(redis, allow_eviction=allow_eviction))


async def prepare(
    redis: Redis, pool: Pool, guard: SourceGuard, *, now: Callable[[], dt.datetime], upgrade: Upgrade = BY_ITSELF
) -> None:
    """Log what is doubtful about PostgreSQL and the clocks, and bring schema and stamps up to date; may be repeated.

    A run of another source than the one whose data is there is refused before the first of these writes.
    Where *upgrade* does not let a start migrate, the schema is waited for.
    Raises StartRefused, SourceRefused, SchemaMismatch, Waiting.
    """
    _judge([await check_sessions(pool), *await check_postgres(pool)])
    await guard.refuse_foreign()
    await bring_up_to_date(pool, upgrade)
    await guard.stamp()
    _judge([await check_redis_clock(redis, now=now), await check_postgres_clock(pool, now=now)])


async def bring_up_to_date(pool: Pool, upgrade: Upgrade) -> None:
    """Apply what a start may, or raise Waiting where somebody else is to do it. Raises SchemaMismatch."""
    if upgrade.at_start:
        await migrate(pool, prices=upgrade.prices)
    elif not (await read_schema(pool)).fits:
        raise Waiting("the tables are not this program's yet, and MIGRATE_AT_START is off: run `maintenance migrate`")


def _judge(findings: list[Finding]) -> None:
    for one in findings:
        if one.level in (Level.WARNING, Level.UNKNOWN):
            logger.warning("start_check", check=one.check, seen=one.seen, cure=one.cure, runbook="start-refused")
    if unfit := [one for one in findings if one.level is Level.REFUSED]:
        raise StartRefused(unfit)
