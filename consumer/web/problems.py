"""Writes answers: JSON, and for every refusal an RFC 9457 problem document that names its kind and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from consumer.web import problem_kinds as kinds
from consumer.web.bodies import BadRequest
from consumer.web.health import AWAY
from consumer.web.reads import TooBusy
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from consumer.web.problem_kinds import Kind

ROUTES = (
    "GET /health, /status, /pending and /next-run, POST /trigger and /cycles/YYYY-MM-DD/cancel, and all that "
    "GET /openapi.json and docs/http-api.md list"
)
PROBLEM_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document; *detail* names the cure, *instance* is the path that was asked."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


def json_answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return *value* as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, kind: Kind | None = None
) -> web.Response:
    """Return an RFC 9457 problem document."""
    body = problem_body(status, detail, kind=kind)
    return web.Response(body=body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def problem_body(
    status: int, detail: str, *, kind: Kind | None = None, beside: Mapping[str, object] | None = None
) -> bytes:
    """The document itself, without the path that was asked; with further members *beside*."""
    meant = kind or kinds.kind_of_status(status)
    kind_type = meant.type if meant.name in kinds.KINDS else "about:blank"
    return msgspec.json.encode(
        {"type": kind_type, "title": meant.title, "status": status, "detail": detail, **(beside or {})}
    )


@web.middleware
async def answer_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 503 while a server is away, and every other refusal as a problem document of this request."""
    try:
        answer = await handler(request)
    except (BadRequest, TooBusy, web.HTTPException, CalendarError, *AWAY) as error:
        answer = _problem_of(error)
    return _of_this(request, answer)


def _problem_of(error: BaseException) -> web.Response:
    match error:
        case BadRequest():
            return problem(error.status, str(error), kind=error.kind)
        case TooBusy():
            return problem(503, str(error), headers={"Retry-After": "1"}, kind=kinds.TOO_BUSY)
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"{error.method} is not allowed here: use {allowed}"
            return problem(error.status, detail, headers={"Allow": allowed})
        case web.HTTPNotFound():
            return problem(error.status, f"{error.reason}: there are {ROUTES}")
        case web.HTTPException():
            return problem(error.status, error.reason)
        case CalendarError():
            return problem(503, str(error), kind=kinds.NO_CALENDAR)
        case _:
            detail = f"Redis or PostgreSQL does not answer: {type(error).__name__}: {error}"
            return problem(503, detail, kind=kinds.AWAY)


def _of_this(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """The same, which names the path where it is a problem: one that is kept was made for nobody's request."""
    if not isinstance(answer, web.Response) or answer.content_type != PROBLEM_TYPE:
        return answer
    document: dict[str, Any] = msgspec.json.decode(answer.body or b"{}")  # type: ignore[arg-type]
    answer.body = msgspec.json.encode({**document, "instance": request.rel_url.raw_path})
    return answer


async def problem_kind(request: web.Request) -> web.Response:
    """What a kind of problem means, and where the runbook has more of it."""
    found = kinds.KINDS.get(request.match_info["name"])
    if found is None:
        return problem(404, f"there is no such kind of problem: there are {', '.join(kinds.KINDS)}")
    return json_answer(found)
