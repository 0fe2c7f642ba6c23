"""Writes answers: JSON, and for every refusal an RFC 9457 problem document that names the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.web.health import AWAY
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


# A day, a task, a reason in a sentence.
MOST_BYTES_OF_A_BODY = 64 << 10


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
    except web.HTTPRequestEntityTooLarge:
        return problem(413, f"the body is longer than {MOST_BYTES_OF_A_BODY} bytes: send what is asked for")
    except web.HTTPException as error:
        return problem(error.status, error.reason)
    except CalendarError as error:
        return problem(503, str(error))
    except AWAY as error:
        return problem(503, f"Redis or PostgreSQL does not answer: {type(error).__name__}: {error}")
