"""The vendor drips, or asks to be left alone for absurd times; its bucket of flat files is away at every stage."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.outages.ground import ground, told
from tests.outages.postgres import twice
from tests.outages.wire import State, wire_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.outages.wire import Streams

# A number or a date far ahead is believed, for ten minutes at a time.
ABSURD = ("inf", "nan", "-5", "1e308", "soon", "", "Wed, 99 Oct 2099 07:28:00 GMT")
EVERY = 5


async def drips(minutes: float) -> dict[str, Any]:
    """A byte a second of every answer for *minutes*, amid the cycle."""
    address: dict[str, Any] = {}

    async def connect() -> Streams:
        return await asyncio.open_connection("127.0.0.1", address["port"])

    async with wire_to(connect) as wire:
        async with ground(MASSIVE_BASE_URL=f"http://127.0.0.1:{wire.port}", latency_ms=20) as on:
            address["port"] = int(on.deployed.market.url.rpartition(":")[2])
            await on.amid()
            since = dt.datetime.now(dt.UTC)
            await wire.be(State.DRIPPING)
            await asyncio.sleep(minutes * 60)
            lines = [line for line in on.lines(since) if line.get("level") != "DEBUG"]
            async with on.workload.ledger() as db:
                states = {row[0]: row[1] for row in await db.fetch("SELECT state, count(*) FROM part GROUP BY 1")}
            await wire.be(State.WHOLE)
            return {
                **told(lines, minutes * 60), "parts while it drips": states, "complete after, s": await on.complete(),
                **await twice(on),
            }  # fmt: skip


async def absurd_pauses(_: float) -> dict[str, Any]:
    """Each fifth request is refused with a Retry-After that no clock can keep: seconds of the cycle, by value."""
    figures = {}
    for value in ABSURD:
        address: dict[str, str] = {}
        async with gateway(address, value) as url, ground(tickers=200, MASSIVE_BASE_URL=url) as on:
            address["market"] = on.deployed.market.url
            began = asyncio.get_running_loop().time()
            await on.amid(done=1)
            await on.complete()
            figures[value] = round(asyncio.get_running_loop().time() - began, 1)
    return figures


@contextlib.asynccontextmanager
async def gateway(address: dict[str, str], retry_after: str) -> AsyncIterator[str]:
    """Hands requests on to the market; every fifth is refused."""
    asked = 0
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def answer(request: web.Request) -> web.Response:
            nonlocal asked
            asked += 1
            if asked % EVERY == 0:
                return web.Response(status=429, headers={"Retry-After": retry_after})
            async with session.get(address["market"] + request.raw_path, headers=_handed_on(request)) as given:
                kept = {name: given.headers[name] for name in ("Content-Encoding",) if name in given.headers}
                return web.Response(
                    status=given.status, body=await given.read(), headers=kept, content_type=given.content_type
                )

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def _handed_on(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name in ("Authorization", "Accept-Encoding")}


BUCKET = {
    "MASSIVE_FLAT_FILES": "s3://flatfiles",
    "MASSIVE_S3_ACCESS_KEY_ID": "wrong",
    "MASSIVE_S3_SECRET_ACCESS_KEY": "wrong",
}


async def bucket_away(_: float) -> dict[str, Any]:
    """The bucket refuses connections, takes them and is mute, forbids, answers rubbish: what it costs the night."""
    figures = {}
    for how in ("refused", "mute", "forbidden", "rubbish"):
        async with bucket_that(how) as endpoint, ground(tickers=300, MASSIVE_S3_ENDPOINT=endpoint, **BUCKET) as on:
            began = asyncio.get_running_loop().time()
            await on.amid(done=1)
            await on.complete()
            loud = [line for line in on.lines(on.began) if line.get("level") not in ("DEBUG", "INFO")]
            async with on.workload.ledger() as db:
                warnings = await db.fetchval("SELECT warnings FROM cycle ORDER BY cycle_id DESC LIMIT 1")
            seconds = round(asyncio.get_running_loop().time() - began, 1)
            figures[how] = {
                "complete after, s": seconds,
                "warnings": warnings,
                **told(loud, seconds),
                **await twice(on),
            }
    return figures


@contextlib.asynccontextmanager
async def bucket_that(how: str) -> AsyncIterator[str]:
    answers = {
        "mute": b"", "rubbish": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nrubbish",
        "forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    }  # fmt: skip

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                if how == "mute":
                    await reader.read()
                writer.write(answers[how])
                await writer.drain()
                if how == "forbidden":
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if how == "refused":
        server.close()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
