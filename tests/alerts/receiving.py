"""A receiver on loopback that keeps what it is told, and answers as the test wants."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


class Told(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiving:
    """What was told, oldest first; *status* is how it answers, and *then* what it does before it does so."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.status = 200
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.told.append(Told(request.path_qs, request.headers, await request.read()))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"} if self.status == 302 else None)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiving]:
    found = Receiving()
    app = web.Application()
    app.router.add_post("/{rest:.*}", found.answer)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/secret-path-of-mine/17"))
        yield found
