"""A vendor on loopback that says what the test tells it to, and sleep that takes no time."""

from __future__ import annotations

import datetime as dt
import json
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from consumer.massive.budget import UnlimitedBudget
from consumer.vendor.sieve import Sieve

if TYPE_CHECKING:
    import io
    from collections.abc import AsyncIterator, Awaitable, Callable

KEY = "not-a-real-key-0123456789"


def any_sieve() -> Sieve:
    """For a question whose losses are not what the test is about."""
    return Sieve(dt.date(2026, 7, 15))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted answer; a hang-up ends it before the announced length."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    hangs_up: bool = False


def reply_of(fields: object, *, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(fields).encode())


class ScriptedVendor:
    """Gives its scripted replies in order and remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self.before_reply: Callable[[], Awaitable[object]] | None = None
        self._script: deque[Reply] = deque()

    def will_answer(self, *replies: Reply | dict[str, Any]) -> None:
        self._script += [reply if isinstance(reply, Reply) else reply_of(reply) for reply in replies]

    @property
    def targets(self) -> list[str]:
        return [request.raw_path for request in self.requests]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if not self._script:
            return web.Response(status=418, text="the test scripted no answer to this")
        reply = self._script.popleft()
        if self.before_reply is not None:
            await self.before_reply()
        if not reply.hangs_up:
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        response = web.StreamResponse(headers={"Content-Length": str(len(reply.body) + 10)})
        await response.prepare(request)
        await response.write(reply.body)
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def scripted_vendor() -> AsyncIterator[ScriptedVendor]:
    vendor = ScriptedVendor()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", vendor.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


class Naps:
    """Stands in for sleeping: remembers the durations and returns at once."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


DETAILS = {"status": "OK", "results": {"ticker": "A"}}
GATEWAY = Reply(status=504, body=b"<html><head><title>504 Gateway Time-out</title></head></html>")


class RecordingBudget(UnlimitedBudget):
    """Grants at once, keeps the pauses it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.pauses: list[dt.timedelta] = []

    async def acquire(self, endpoint: str = "") -> None:
        self.asked += 1

    async def pause(self, duration: dt.timedelta) -> None:
        self.pauses.append(duration)


def warnings(log: io.StringIO) -> list[dict[str, Any]]:
    records = [json.loads(line)["record"] for line in log.getvalue().splitlines()]
    return [record for record in records if record["level"]["name"] == "WARNING"]
