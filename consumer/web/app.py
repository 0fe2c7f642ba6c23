"""Serves the HTTP API: what stands and is under way, market data for readers, and requests for work.

Reads are open unless a read token is set; what changes something needs the bearer token, unless none is set and the API
listens on loopback only. Errors are RFC 9457 problem documents that name the cure. docs/http-api.md has every path, and
GET /openapi.json the same for programs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.checks.pending_work import PendingWork
from consumer.web import answers, earlier
from consumer.web import problem_kinds as kinds
from consumer.web.asked import Nothing
from consumer.web.bodies import LONGEST_BODY, PROBED, nothing_unread
from consumer.web.callers import only_our_callers
from consumer.web.etags import tagged_json
from consumer.web.idempotency import once
from consumer.web.ledger_reads import LedgerHandlers
from consumer.web.openapi import describe, openapi
from consumer.web.pending import pending_handler
from consumer.web.problem_kinds import Kind
from consumer.web.problems import PROBLEM_TYPE, answer_problems, json_answer, problem_body, problem_kind
from consumer.web.reading import ReadingHandlers
from consumer.web.routes import Route
from consumer.web.tokens import Access, only_with_a_token
from consumer.web.triggers import Accepted, TriggerBody, accept
from consumer.web.work import WorkHandlers

if TYPE_CHECKING:
    from consumer.delivery.task_stream import TaskStream
    from consumer.web.monitor import Monitor
    from consumer.web.reads import Reads
    from consumer.web.routes import Answering

__all__ = ["Access", "Handlers", "build_app", "routes_of"]


def build_app(
    monitor: Monitor, stream: TaskStream, reads: Reads, access: Access, *, max_deliveries: int
) -> web.Application:
    """Return the application."""
    routes = routes_of(monitor, stream, reads, access, max_deliveries=max_deliveries)
    queried = {PROBED, *(route.path for route in routes if route.asked is not Nothing)}
    app = web.Application(
        middlewares=[
            answer_problems,
            only_our_callers(access.names),
            only_with_a_token(access),
            nothing_unread(queried),
            once(monitor),
        ],
        client_max_size=LONGEST_BODY,
    )
    describe(app, routes)
    for route in routes:
        add = app.router.add_get if route.method == "GET" else app.router.add_post
        add(route.path, route.answering)
    return app


def routes_of(
    monitor: Monitor, stream: TaskStream, reads: Reads, access: Access, *, max_deliveries: int
) -> list[Route]:
    """Every route but those of the page."""
    return [
        *Handlers(monitor, stream, access, max_deliveries=max_deliveries).routes(),
        *LedgerHandlers(monitor).routes(),
        *WorkHandlers(monitor, stream).routes(),
        *ReadingHandlers(monitor, reads).routes(),
        Route("GET", "/problems/{name}", problem_kind, answer=Kind),
        Route("GET", "/openapi.json", openapi, tagged=True),
    ]


class Handlers:
    """The routes that say how the service stands, and those that ask for a cycle."""

    def __init__(self, monitor: Monitor, stream: TaskStream, access: Access, *, max_deliveries: int) -> None:
        self._monitor = monitor
        self._stands_for = access.stands_for
        self._pending = pending_handler(monitor.redis, lease=stream.lease, max_deliveries=max_deliveries)

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/livez", self.livez, answer=answers.Alive),
            Route("GET", "/readyz", self.readyz, answer=answers.Ready),
            Route("GET", "/health", self.health, answer=answers.Health),
            Route("GET", "/status", self.status, answer=answers.StatusAnswer, tagged=True),
            Route("GET", "/pending", self._pending, answer=PendingWork),
            Route("GET", "/next-run", self.next_run, answer=answers.NextRun),
            _asking("/trigger", self.trigger),
            Route("POST", "/clear-caches", earlier.clear_caches, answer=answers.Ignored),
            _asking("/api/warmup", self.warmup),
            _asking("/api/warmup/premarket", self.warmup),
        ]

    async def livez(self, request: web.Request) -> web.Response:
        """200 while the event loop turns; asks nobody."""
        await asyncio.sleep(0)
        return json_answer(answers.Alive())

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when servers, tables, group, worker and catch-up are there, else 503 with what is not."""
        checks = await self._monitor.readiness()
        missing = {name: check.error for name, check in checks.items() if not check.connected}
        if not missing:
            return json_answer(answers.Ready(checks=checks))
        detail = "; ".join(f"{name}: {error}" for name, error in missing.items())
        body = problem_body(503, detail, kind=kinds.NOT_READY, beside={"ready": False, "checks": checks})
        return web.Response(body=body, status=503, content_type=PROBLEM_TYPE)

    async def health(self, request: web.Request) -> web.Response:
        """200 when both servers answer, else 503."""
        checks = await self._monitor.health()
        healthy = all(check.connected for check in checks.values())
        words = earlier.health_words(self._monitor, checks, self._stands_for)
        ours = {name: check for name, check in checks.items() if name not in words}
        answer = {**words, "healthy": healthy, **ours, "checks": checks}
        return json_answer(answer, status=200 if healthy else 503)

    async def status(self, request: web.Request) -> web.Response:
        """The newest due session, what is being done, what was done last and what is due next."""
        status = await self._monitor.status()
        words = earlier.status_words(status, await self._monitor.details(status))
        told = msgspec.structs.asdict(status)
        due = {name: value for name, value in status.next_due.items() if name != "in_seconds"}
        return tagged_json(request, {**words, **told}, but=_unclocked({**words, **told, "next_due": due}))

    async def next_run(self, request: web.Request) -> web.Response:
        """When the next cycle is due, and why."""
        return json_answer(await earlier.next_run(self._monitor))

    async def trigger(self, request: web.Request) -> web.Response:
        """Ask for a cycle or a task; 202 with where to look."""
        accepted = await accept(request, self._monitor, status="triggered", message="Maintenance cycle started")
        return json_answer(accepted, status=202, headers={"Location": accepted.look_at})

    async def warmup(self, request: web.Request) -> web.Response:
        """The same, in the words of "historical": what it loads, a cycle brings."""
        accepted = await accept(request, self._monitor, status="loading", message="Maintenance cycle started")
        return json_answer(accepted, status=202, headers={"Location": accepted.look_at})


def _asking(path: str, answering: Answering) -> Route:
    return Route("POST", path, answering, body=TriggerBody, answer=Accepted, status=202)


def _unclocked(answer: dict[str, object]) -> dict[str, object]:
    """The same without what the clock alone changes; of the day's documents, when they were written."""
    written = {"updated_at": None}
    found: dict[str, object] = msgspec.to_builtins(answer)
    for name in ("session", "details"):
        if isinstance(day := found.get(name), dict):
            found[name] = day | written
    return found | {"now": None}
