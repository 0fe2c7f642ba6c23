"""Serves the HTTP API: what stands and is under way, market data for readers, and requests for work.

Reads are open; a POST needs the bearer token, unless none is set and the API listens on loopback only. Errors are
RFC 9457 problem documents that name the cure. docs/http-api.md has every path.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.cycle import calling_off
from consumer.cycle.reporting import Reporter
from consumer.postgres.decisions import Decision
from consumer.web import earlier
from consumer.web.asked import Nothing
from consumer.web.bodies import LONGEST_BODY, PROBED, BadRequest, nothing_unread, read_body
from consumer.web.callers import only_our_callers
from consumer.web.earlier import StandsFor
from consumer.web.pending import pending_handler
from consumer.web.problems import answer_problems, json_answer, problem
from consumer.web.reading import ReadingHandlers
from consumer.web.routes import Route
from consumer.web.tokens import refusal_without_token
from consumer.web.triggers import accept
from contract.flat_fields import BadField, read_field
from contract.plain_text import require_plain, require_reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.delivery.task_stream import TaskStream
    from consumer.web.monitor import Monitor
    from consumer.web.reads import Reads
    from consumer.web.routes import Answering


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /cycles/{day}/cancel may name, for the record."""

    reason: str | None = None
    by: str = "http"

    def __post_init__(self) -> None:
        require_plain("by", self.by)
        if self.reason is not None:
            require_reason("reason", self.reason)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may ask: *token* None leaves POST open (only for loopback), *names* are those of the service."""

    token: str | None = None
    names: tuple[str, ...] = ()
    stands_for: StandsFor = StandsFor.DATA_MAINTENANCE


def build_app(
    monitor: Monitor, stream: TaskStream, reads: Reads, access: Access, *, max_deliveries: int
) -> web.Application:
    """Return the application."""
    handlers = Handlers(monitor, stream, access, max_deliveries=max_deliveries)
    routes = [*handlers.routes(), *ReadingHandlers(monitor, reads).routes()]
    queried = {PROBED, *(route.path for route in routes if route.asked is not Nothing)}
    app = web.Application(
        middlewares=[answer_problems, only_our_callers(access.names), nothing_unread(queried)],
        client_max_size=LONGEST_BODY,
    )
    _add(app, routes, access.token)
    return app


def _add(app: web.Application, routes: Iterable[Route], token: str | None) -> None:
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.answering)
        else:
            app.router.add_post(route.path, _guarded(route.answering, token))


def _guarded(answering: Answering, token: str | None) -> Answering:
    async def guarded(request: web.Request) -> web.StreamResponse:
        refused = refusal_without_token(request, token)
        return await answering(request) if refused is None else refused

    return guarded


class Handlers:
    """The routes that say how the service stands, and those that ask for work."""

    def __init__(self, monitor: Monitor, stream: TaskStream, access: Access, *, max_deliveries: int) -> None:
        self._monitor = monitor
        self._stream = stream
        self._reporter = Reporter(monitor.pool, monitor.redis, monitor.expectations, now=monitor.now)
        self._stands_for = access.stands_for
        self._pending = pending_handler(monitor.redis, lease=stream.lease, max_deliveries=max_deliveries)

    def routes(self) -> list[Route]:
        """A POST among them wants the token."""
        return [
            Route("GET", "/health", self.health),
            Route("GET", "/status", self.status),
            Route("GET", "/pending", self._pending),
            Route("GET", "/next-run", self.next_run),
            Route("POST", "/trigger", self.trigger),
            Route("POST", "/clear-caches", earlier.clear_caches),
            Route("POST", "/api/warmup", self.warmup),
            Route("POST", "/api/warmup/premarket", self.warmup),
            Route("POST", "/cycles/{day}/cancel", self.cancel),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """200 when both servers answer, else 503."""
        checks = await self._monitor.health()
        healthy = all(check.connected for check in checks.values())
        words = earlier.health_words(self._monitor, checks, self._stands_for)
        ours = {name: check for name, check in checks.items() if name not in words}
        answer = {**words, "healthy": healthy, **ours, "checks": checks}
        return json_answer(answer, status=200 if healthy else 503)

    async def status(self, request: web.Request) -> web.Response:
        status = await self._monitor.status()
        words = earlier.status_words(status, await self._monitor.details(status))
        return json_answer({**words, **msgspec.structs.asdict(status)})

    async def next_run(self, request: web.Request) -> web.Response:
        return json_answer(await earlier.next_run(self._monitor))

    async def trigger(self, request: web.Request) -> web.Response:
        """Ask for a cycle or a task; 202 with where to look."""
        accepted = await accept(request, self._monitor, status="triggered", message="Maintenance cycle started")
        return json_answer(accepted, status=202, headers={"Location": accepted.look_at})

    async def warmup(self, request: web.Request) -> web.Response:
        """The same, in the words of "historical": what it loads, a cycle brings."""
        accepted = await accept(request, self._monitor, status="loading", message="Maintenance cycle started")
        return json_answer(accepted, status=202, headers={"Location": accepted.look_at})

    async def cancel(self, request: web.Request) -> web.Response:
        """End what runs or waits for a trading day; 404 when nothing does."""
        day = _day_of(request.match_info["day"])
        wanted = await read_body(request, CancelBody, example='{"reason": "…"}')
        monitor = self._monitor
        decision = Decision(by=wanted.by, reason=wanted.reason, at=monitor.now())
        cycles = await calling_off.cancel(monitor.pool, self._stream, self._reporter, day, decision)
        if not cycles:
            return problem(404, f"nothing runs or waits for {day}; GET /status shows what does")
        return json_answer({"cancelled": [cycle.cycle_id for cycle in cycles], "look_at": "/status"})


def _day_of(text: str) -> dt.date:
    try:
        return read_field("day", text, dt.date)  # type: ignore[no-any-return]
    except BadField as error:
        raise BadRequest(f"{error}: POST /cycles/2025-11-11/cancel") from error
