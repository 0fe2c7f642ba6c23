"""`maintenance doctor`: every check, one line each, with the cure of what is not as it should be."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.checks import clocks, orphans, spoilt_keys, surroundings
from consumer.checks.data_source import check_data_source
from consumer.checks.finding import Finding, Level, ok, refused, unknown
from consumer.checks.postgres_server import check_consumers, check_postgres, check_schema
from consumer.checks.postgres_sessions import check_sessions
from consumer.checks.redis_server import check_redis
from consumer.checks.refusals import POSTGRES_REFUSALS, refusal_in
from consumer.checks.vendor_plan import check_plan
from consumer.postgres.pool import CONNECTION_ERRORS
from consumer.runtime import connect_redis, utc_now
from consumer.settings import build_calendar, names_a_vendor
from consumer.terminal.answers import write_json
from consumer.terminal.reach import reach_postgres
from consumer.terminal.refused import CommandRefused
from consumer.terminal.stopped_servers import looked_at
from consumer.vendors import open_web, vendor_asked_once
from market.calendar_errors import CalendarError
from market.trading_calendar import NEW_YORK
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from consumer.settings import Settings
    from consumer.terminal.servers import Servers

COLOURS = {
    Level.OK: "green",
    Level.UNKNOWN: "yellow",
    Level.WARNING: "yellow",
    Level.REFUSED: "red",
    Level.UNREACHABLE: "red",
}


async def examine(settings: Settings, *, as_json: bool, offline: bool) -> int:
    """Print the findings; 3 when one is refused, 4 when a server does not answer. The other checks run all the same."""
    findings = await _all_findings(settings, offline=offline)
    if as_json:
        write_json(findings)
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), findings)
    levels = {one.level for one in findings}
    if Level.UNREACHABLE in levels:
        return ExitCode.UNREACHABLE
    return ExitCode.FINDING if Level.REFUSED in levels else ExitCode.OK


async def _all_findings(settings: Settings, *, offline: bool) -> list[Finding]:
    findings: list[Finding] = []
    try:
        async with looked_at(settings, read_only=False) as servers:
            findings += await _servers_findings(settings, servers)
    except CommandRefused as refused_look:
        no_address = Finding(check="servers", level=Level.UNREACHABLE, seen="no address", cure=str(refused_look))
        findings.append(no_address)
    findings += _calendar_findings(settings)
    if settings.http_port:
        findings.append(await surroundings.check_http(settings.http_host, settings.http_port))
    if settings.redis_url is None or settings.database_url is None:
        findings.append(surroundings.check_disk(settings.data_dir))
    return [*findings, await _vendor_finding(settings, offline=offline)]


async def _servers_findings(settings: Settings, servers: Servers) -> list[Finding]:
    findings: list[Finding] = []
    async with contextlib.AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect_redis(servers.redis_url))
        pool = await _pool(stack, settings, servers.database_url, findings)
        findings += await _redis_findings(redis, settings)
        if pool is not None:
            findings += await _ledger_findings(pool, redis)
    return findings


async def _pool(stack: contextlib.AsyncExitStack, settings: Settings, dsn: str, findings: list[Finding]) -> Pool | None:
    try:
        return await stack.enter_async_context(await reach_postgres(settings, dsn))
    except (*CONNECTION_ERRORS, *POSTGRES_REFUSALS) as error:
        findings.append(refusal_in(error) or _away("postgresql", error, "start it, or correct DATABASE_URL"))
        return None


async def _redis_findings(redis: Redis, settings: Settings) -> list[Finding]:
    try:
        return [
            *await check_redis(redis, allow_eviction=settings.allow_eviction),
            await spoilt_keys.check_spoilt(redis),
            *await orphans.check_groups(redis),
            await orphans.check_pending(redis, lease=settings.lease),
            await orphans.check_identities(redis),
            await orphans.check_versions(redis),
            await clocks.check_redis_clock(redis, now=utc_now),
        ]
    except RedisError as error:
        return [refusal_in(error) or _away("redis", error, "start it, or correct REDIS_URL")]


async def _ledger_findings(pool: Pool, redis: Redis) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings += [
            await check_sessions(pool),
            *await check_postgres(pool),
            await clocks.check_postgres_clock(pool, now=utc_now),
        ]
        findings.append(await check_consumers(pool))
        schema = await check_schema(pool)
        findings.append(schema)
        findings.append(await check_data_source(pool, redis))
        if schema.level is Level.OK:
            findings.append(await orphans.check_dead_letters(pool))
            findings += await check_plan(pool)
            with contextlib.suppress(RedisError):  # told by the checks of Redis already
                findings.append(await orphans.check_parts(pool, redis))
    except (*CONNECTION_ERRORS, *POSTGRES_REFUSALS) as error:
        findings.append(refusal_in(error) or _away("postgresql", error, "start it, or correct DATABASE_URL"))
    return findings


def _away(server: str, error: BaseException, cure: str) -> Finding:
    return Finding(check=server, level=Level.UNREACHABLE, seen=f"{type(error).__name__}: {error}", cure=cure)


def _calendar_findings(settings: Settings) -> list[Finding]:
    try:
        build_calendar(settings)
    except CalendarError as error:
        return [refused("calendar overrides", str(error), "correct the file that TRADING_CALENDAR_OVERRIDES names")]
    return [surroundings.check_calendar(utc_now().astimezone(NEW_YORK).date())]


async def _vendor_finding(settings: Settings, *, offline: bool) -> Finding:
    if settings.market_data_folder is not None:
        async with open_web(settings) as web:
            return await surroundings.check_folder(vendor_asked_once(settings, web), settings.market_data_folder)
    if not names_a_vendor(settings):
        return ok("vendor key", "none set: a run takes the simulated market, on servers of your own with --simulated")
    if offline:
        return ok("vendor key", "not asked (--offline)")
    async with open_web(settings) as web:
        try:
            day = build_calendar(settings).last_completed(utc_now())
        except CalendarError as error:
            return unknown("vendor key", f"not asked: {error}")
        return await surroundings.check_vendor(vendor_asked_once(settings, web), last_completed=day)


def _print(console: Console, findings: list[Finding]) -> None:
    table = Table("check", "", "seen", box=None, pad_edge=False)
    for one in findings:
        seen = one.seen + (f"\n→ {one.cure}" if one.cure else "")
        table.add_row(one.check, Text(one.level, COLOURS[one.level]), Text(seen))
    console.print(table)
    counts = [(level, sum(one.level is level for one in findings)) for level in Level]
    counted = [f"{count} {level}" for level, count in counts if count]
    console.print(f"{len(findings)} checks: {', '.join(counted)}", highlight=False)
