"""Writes answers: JSON, and for every refusal an RFC 9457 problem document that names the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.web.bodies import BadRequest
from consumer.web.health import AWAY
from consumer.web.reads import TooBusy
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUTES = (
    "GET /health, /status, /pending and /next-run, POST /trigger and /cycles/YYYY-MM-DD/cancel, and GET /api/…, which "
    "docs/http-api.md lists"
)


def json_answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return *value* as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None) -> web.Response:
    """Return an RFC 9457 problem document."""
    body = problem_body(status, detail)
    return web.Response(body=body, status=status, headers=headers, content_type="application/problem+json")


def problem_body(status: int, detail: str) -> bytes:
    """The document itself."""
    return msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail})


@web.middleware
async def answer_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 503 while a server is away, and every other refusal as a problem document."""
    try:
        return await handler(request)
    except BadRequest as error:
        return problem(error.status, str(error))
    except TooBusy as error:
        return problem(503, str(error), headers={"Retry-After": "1"})
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{error.method} is not allowed here: use {allowed}"
        return problem(error.status, detail, headers={"Allow": allowed})
    except web.HTTPNotFound as error:
        return problem(error.status, f"{error.reason}: there are {ROUTES}")
    except web.HTTPException as error:
        return problem(error.status, error.reason)
    except CalendarError as error:
        return problem(503, str(error))
    except AWAY as error:
        return problem(503, f"Redis or PostgreSQL does not answer: {type(error).__name__}: {error}")
