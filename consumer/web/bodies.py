"""Reads what a request says beyond its path, and refuses what the route does not know instead of passing it over.

A parameter that nobody reads would start or show the wrong thing: `GET /status?trading_day=…` is no status of that day.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from contract.flat_fields import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from aiohttp.typedefs import Middleware

    from consumer.web.problem_kinds import Kind

LONGEST_BODY = 64 * 1024
#: curl -d sends the second, programs the third; what else a form of a page can send is no JSON.
CONTENT_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "application/octet-stream"})

#: Monitors add a parameter to get past caches; there is nothing that one could ask it about.
PROBED = "/health"

T = TypeVar("T")


class BadRequest(Exception):
    """The request is not understood; the text names the cure. *status*, or *kind*, says of which kind it is."""

    def __init__(self, detail: str, *, status: int = 400, kind: Kind | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def nothing_unread(queried: Collection[str]) -> Middleware:
    """Return the middleware that refuses query parameters where a path does not read them, and the body of a read.

    *queried*: the paths of routes that read their query themselves. Raises BadRequest.
    """

    @web.middleware
    async def refuse_unread(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if request.query_string and (resource is None or resource.canonical not in queried):
            raise BadRequest(
                f"{request.path} takes no query parameters, and has {quote(request.query_string)}: leave them out; "
                "a POST takes its fields as JSON in its body"
            )
        if request.method == "GET" and request.can_read_body and await body_of(request):  # chunks may be none
            raise BadRequest(f"GET {request.path} takes no body: leave it out, or did you mean POST /trigger?")
        return await handler(request)

    return refuse_unread


async def read_body(request: web.Request, wanted: type[T], *, example: str) -> T:
    """Return the body as *wanted*; none is an empty object. Raises BadRequest."""
    body = await body_of(request)
    if body and request.content_type not in CONTENT_TYPES:
        raise BadRequest(f"a body of type {quote(request.content_type)} is not read: send application/json", status=415)
    try:
        found = msgspec.json.decode(body or b"{}", type=wanted)
        _refuse_repeated(body or b"{}")
        return found
    except ValueError as error:  # msgspec's own, no UTF-8, a field that is no plain text
        raise BadRequest(f"the body is not understood: {error}; send {{}} or {example}") from error


async def body_of(request: web.Request) -> bytes:
    """The body as it came. Raises BadRequest."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise BadRequest(f"the body is longer than {LONGEST_BODY} bytes: send less", status=413) from error
    except web.RequestPayloadError as error:
        raise BadRequest(f"the body cannot be read: {' '.join(str(error).split())}; send it as it is") from error


def _refuse_repeated(body: bytes) -> None:
    """Of a field that stands there twice JSON readers take the last in silence."""

    def once(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} stands there {names.count(name)} times: keep one")

    json.loads(body, object_pairs_hook=once)
