"""Serves /health, /status and /trigger.

Reads are open; a POST needs the bearer token, unless none is set and the API listens on loopback only. Errors are
RFC 9457 problem documents that name the cure.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle.reporting import read_status
from consumer.postgres import ledger
from consumer.postgres.pool import CONNECTION_ERRORS
from market.calendar_errors import CalendarError
from market.trading_calendar import NEW_YORK
from producers import keys
from producers.messages import TaskName
from producers.trigger import request_cycle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.ledger import Pool
    from consumer.settings import Settings
    from market.schedule import Schedule
    from market.trading_calendar import TradingCalendar

PATIENCE_S = 3.0
_AWAY = (RedisError, *CONNECTION_ERRORS, TimeoutError)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a server answers, and how quickly."""

    connected: bool
    latency_ms: float | None = None
    error: str | None = None


class TriggerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /trigger may name."""

    trading_day: dt.date | None = None
    task: TaskName = TaskName.CYCLE
    force: bool = False


class Monitor:
    """Answers questions about the service from PostgreSQL and Redis."""

    def __init__(
        self,
        *,
        pool: Pool,
        redis: Redis,
        schedule: Schedule,
        calendar: TradingCalendar,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.pool = pool
        self.redis = redis
        self.schedule = schedule
        self.calendar = calendar
        self.now = now

    async def health(self) -> dict[str, Check]:
        """Ask both servers; an answer within three seconds counts as connected."""

        async def ask_redis() -> object:
            return await self.redis.execute_command("PING")  # type: ignore[no-untyped-call]

        postgres, cache = await asyncio.gather(_check(lambda: self.pool.fetchval("SELECT 1")), _check(ask_redis))
        return {"postgresql": postgres, "redis": cache}

    async def status(self) -> dict[str, Any]:
        """Return the current cycle, the last ended one, what is due next and what lies about."""
        now = self.now()
        unended = await ledger.unended_cycles(self.pool)
        row = await self.pool.fetchrow(
            "SELECT * FROM cycle WHERE finished_at IS NOT NULL AND state <> 'superseded' "
            "ORDER BY finished_at DESC LIMIT 1"
        )
        last = None if row is None else ledger.cycle_from(row)
        return {
            "now": now,
            "current": await read_status(self.pool, unended[0], now=now) if unended else None,
            "last": await read_status(self.pool, last, now=now) if last is not None else None,
            "next_due": next_due(self.schedule, self.calendar, now),
            "last_complete_day": await self.pool.fetchval(
                "SELECT max(trading_day) FROM cycle WHERE state = 'complete' AND cardinality(tasks) >= 4"
            ),
            "streams": await self._streams(),
        }

    async def _streams(self) -> dict[str, int] | None:
        """How many messages are under way; None where Redis is away (the status must say the rest all the same)."""
        try:
            pending: Any = await self.redis.xpending(keys.TASKS.name, keys.GROUP)
            return {
                "tasks": await self.redis.xlen(keys.TASKS.name),
                "pending": pending["pending"],
                "later": await self.redis.zcard(keys.LATER.pattern),
                "dead_letters": await self.redis.xlen(keys.DEAD.name),
            }
        except RedisError:
            return None


def next_due(schedule: Schedule, calendar: TradingCalendar, now: dt.datetime) -> dict[str, object]:
    """Say when the next cycle is due and why, in words."""
    due = schedule.next_due(now)
    session = calendar.session(due.trading_day)
    closes = session.closes_at.astimezone(NEW_YORK)
    close = f"early close {closes:%H:%M} ET" if session.early_close else f"close {closes:%H:%M} ET"
    return {
        "at": due.due_at,
        "in_seconds": round((due.due_at - now).total_seconds()),
        "trading_day": due.trading_day,
        "rule": due.rule.text,
        "reason": f"{due.trading_day:%a %d %b} · {close} · {due.rule.text}",
    }


async def _check(ask: Callable[[], Awaitable[object]]) -> Check:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask()
    except _AWAY as error:
        return Check(connected=False, error=f"{type(error).__name__}: {error}")
    return Check(connected=True, latency_ms=round(1000 * (time.perf_counter() - began), 2))


def build_app(monitor: Monitor, *, token: str | None) -> web.Application:
    """Return the application; *token* None leaves POST open (only for loopback)."""
    handlers = Handlers(monitor, token)
    app = web.Application(middlewares=[answer_problems])
    app.router.add_get("/health", handlers.health)
    app.router.add_get("/status", handlers.status)
    app.router.add_post("/trigger", handlers.trigger)
    return app


class Handlers:
    """One method a route."""

    def __init__(self, monitor: Monitor, token: str | None) -> None:
        self._monitor = monitor
        self._token = token

    async def health(self, request: web.Request) -> web.Response:
        """200 when both servers answer, else 503."""
        checks = await self._monitor.health()
        healthy = all(check.connected for check in checks.values())
        return json_answer({"healthy": healthy, **checks}, status=200 if healthy else 503)

    async def status(self, request: web.Request) -> web.Response:
        return json_answer(await self._monitor.status())

    async def trigger(self, request: web.Request) -> web.Response:
        """Ask for a cycle or a task; 202 with where to look."""
        if (refused := self._not_allowed(request)) is not None:
            return refused
        body = await request.read()
        try:
            wanted = msgspec.json.decode(body or b"{}", type=TriggerBody)
        except msgspec.DecodeError as error:
            return problem(400, f'the body is not understood: {error}; send {{}} or {{"trading_day": "2025-11-11"}}')
        if refusal := self._refusal(wanted):
            return problem(422, refusal)
        entry_id = await request_cycle(
            self._monitor.redis, trading_day=wanted.trading_day, task=wanted.task, force=wanted.force,
            requested_by="http",
        )  # fmt: skip
        answer = {"accepted": True, "entry_id": entry_id, "look_at": "/status"}
        return json_answer(answer, status=202, headers={"Location": "/status"})

    def _not_allowed(self, request: web.Request) -> web.Response | None:
        if self._token is None:
            # Only a listener on loopback has no token. A page in the operator's browser reaches it too: refuse that.
            if "Origin" in request.headers:
                return problem(403, "a page in a browser may not trigger work here: set MAINTENANCE_API_TOKEN, send it")
            return None
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        # A header may hold bytes that are no UTF-8; they must fail the comparison, not the request.
        given = sent.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() == "bearer" and secrets.compare_digest(given, self._token.encode()):
            return None
        refused = problem(401, "a bearer token is needed: send Authorization: Bearer <MAINTENANCE_API_TOKEN>")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    def _refusal(self, wanted: TriggerBody) -> str | None:
        if wanted.trading_day is None:
            return None
        try:
            session = self._monitor.calendar.session(wanted.trading_day)
        except CalendarError as error:
            return str(error)
        if session.closes_at > self._monitor.now():
            return f"trading_day {wanted.trading_day} has not closed yet: ask after {session.closes_at:%H:%M} UTC"
        return None


def json_answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return *value* as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def problem(status: int, detail: str) -> web.Response:
    """Return an RFC 9457 problem document."""
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail})
    return web.Response(body=body, status=status, content_type="application/problem+json")


@web.middleware
async def answer_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 503 while a server is away, and every other refusal as a problem document."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return problem(error.status, error.reason)
    except _AWAY as error:
        return problem(503, f"Redis or PostgreSQL does not answer: {type(error).__name__}: {error}")


@contextlib.asynccontextmanager
async def serve_http(settings: Settings, monitor: Monitor) -> AsyncIterator[str]:
    """Serve until the context ends; gives the base URL. Raises OSError when the port is taken."""
    runner = web.AppRunner(build_app(monitor, token=settings.api_token), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.http_host, settings.http_port)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        logger.info("http_api_listening", url=url)
        yield url
    finally:
        await runner.cleanup()
