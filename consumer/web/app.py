"""Serves /health, /status, /pending, /trigger and /cycles/{day}/cancel.

Reads are open; a POST needs the bearer token, unless none is set and the API listens on loopback only. Errors are
RFC 9457 problem documents that name the cure.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from loguru import logger

from consumer.cycle import calling_off
from consumer.cycle.reporting import Reporter
from consumer.page.routes import add_page
from consumer.postgres.decisions import Decision
from consumer.web.bodies import LONGEST_BODY, BadRequest, nothing_unread, read_body
from consumer.web.callers import only_our_callers
from consumer.web.listener import listening
from consumer.web.pending import pending_handler
from consumer.web.problems import answer_problems, json_answer, problem
from contract.flat_fields import BadField, read_field
from contract.messages import TaskName
from contract.plain_text import require_plain, require_reason
from market.calendar_errors import CalendarError
from producers.trigger import request_cycle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from consumer.delivery.task_stream import TaskStream
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor


class TriggerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /trigger may name."""

    trading_day: dt.date | None = None
    task: TaskName = TaskName.CYCLE
    force: bool = False


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /cycles/{day}/cancel may name, for the record."""

    reason: str | None = None
    by: str = "http"

    def __post_init__(self) -> None:
        require_plain("by", self.by)
        if self.reason is not None:
            require_reason("reason", self.reason)


def build_app(
    monitor: Monitor, stream: TaskStream, *, token: str | None, max_deliveries: int, names: Iterable[str] = ()
) -> web.Application:
    """Return the application; *token* None leaves POST open (only for loopback), *names* are those of the service."""
    handlers = Handlers(monitor, stream, token=token)
    app = web.Application(
        middlewares=[answer_problems, only_our_callers(names), nothing_unread], client_max_size=LONGEST_BODY
    )
    app.router.add_get("/health", handlers.health)
    app.router.add_get("/status", handlers.status)
    app.router.add_get("/pending", pending_handler(monitor.redis, lease=stream.lease, max_deliveries=max_deliveries))
    app.router.add_post("/trigger", handlers.trigger)
    app.router.add_post("/cycles/{day}/cancel", handlers.cancel)
    return app


class Handlers:
    """One method a route."""

    def __init__(self, monitor: Monitor, stream: TaskStream, *, token: str | None) -> None:
        self._monitor = monitor
        self._stream = stream
        self._reporter = Reporter(monitor.pool, monitor.redis, monitor.expectations, now=monitor.now)
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
        wanted = await read_body(request, TriggerBody, example='{"trading_day": "2025-11-11"}')
        if refusal := self._refusal(wanted):
            return problem(422, refusal)
        # Pinned: delivered again after the next close it must still mean the day on which it was asked.
        day = wanted.trading_day or self._monitor.calendar.last_completed(self._monitor.now())
        entry_id = await request_cycle(
            self._monitor.redis, trading_day=day, task=wanted.task, force=wanted.force, requested_by="http"
        )
        answer = {"accepted": True, "entry_id": entry_id, "look_at": "/status"}
        return json_answer(answer, status=202, headers={"Location": "/status"})

    async def cancel(self, request: web.Request) -> web.Response:
        """End what runs or waits for a trading day; 404 when nothing does."""
        if (refused := self._not_allowed(request)) is not None:
            return refused
        day = _day_of(request.match_info["day"])
        wanted = await read_body(request, CancelBody, example='{"reason": "…"}')
        monitor = self._monitor
        decision = Decision(by=wanted.by, reason=wanted.reason, at=monitor.now())
        cycles = await calling_off.cancel(monitor.pool, self._stream, self._reporter, day, decision)
        if not cycles:
            return problem(404, f"nothing runs or waits for {day}; GET /status shows what does")
        return json_answer({"cancelled": [cycle.cycle_id for cycle in cycles], "look_at": "/status"})

    def _not_allowed(self, request: web.Request) -> web.Response | None:
        if self._token is None:
            return None  # only a listener on loopback has none
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


def _day_of(text: str) -> dt.date:
    try:
        return read_field("day", text, dt.date)  # type: ignore[no-any-return]
    except BadField as error:
        raise BadRequest(f"{error}: POST /cycles/2025-11-11/cancel") from error


class HttpRefused(Exception):
    """The HTTP API has no address to listen on; the text names the cure."""


@contextlib.asynccontextmanager
async def serve_http(settings: Settings, monitor: Monitor, stream: TaskStream) -> AsyncIterator[str]:
    """Serve until the context ends; gives the base URL. Raises HttpRefused where nothing may listen there."""
    app = build_app(
        monitor,
        stream,
        token=settings.api_token,
        max_deliveries=settings.max_deliveries,
        names=(settings.http_host, *settings.http_allowed_hosts),
    )
    add_page(app, settings, monitor)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(monitor.close)
        try:
            host, port = await stack.enter_async_context(listening(app, settings.http_host, settings.http_port))
        except (OSError, UnicodeError) as error:
            raise HttpRefused(
                f"HTTP_PORT {settings.http_port} cannot be used on {settings.http_host}: "
                f"{getattr(error, 'strerror', None) or error}. Set HTTP_PORT (or HTTP_HOST) to another"
            ) from error
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        logger.info("http_api_listening", url=url)
        yield url
