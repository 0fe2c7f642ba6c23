"""Answers that cost more than themselves: what a process that asks for them needs, and what a cycle says of them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
from aiohttp import web

from simulated_market.identity import SOURCE_HEADER
from tests.outages.ground import ENDS_WITHIN_S, ground

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GB, PIECE = 1 << 30, b" " * (1 << 20)
AT_ONCE = (1, 64)
GZIP = {"Content-Encoding": "gzip"}
CYCLE_LASTS_S = 60.0
FLAT_FILE = """
import datetime as dt, json, sys, time
from pathlib import Path
from consumer.vendor.errors import VendorError
from consumer.massive.flat_files import read_minute_slots
from market.trading_calendar import TradingCalendar
from tests.outages.bomb_asker import peak_kb
began = time.monotonic()
try:
    said = str(len(read_minute_slots(Path(sys.argv[1]), TradingCalendar().session(dt.date(2026, 7, 15))).symbols))
except VendorError as error:
    said = f"{type(error).__name__}: {error}"
print(json.dumps({"seconds": round(time.monotonic() - began, 2), "said": said,
    "peak MB": peak_kb() // 1024}))
"""


def gzip_of_blanks(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(PIECE) for _ in range(size // len(PIECE)))
    return packed + packer.flush()


def kinds() -> dict[str, dict[str, Any]]:
    """By name: how each bomb is answered; *size* None is endless."""
    packed = gzip_of_blanks(2 * GB)
    return {
        "2 GB of blanks in gzip": {"body": packed, "headers": GZIP},
        "an answer as large as its bound": {
            "body": gzip.compress(b'{"status":"OK","results":[]}' + b" " * (15 << 20), 1),
            "headers": GZIP,
        },
        "1.5 GB as it is": {"size": 3 * GB // 2, "headers": {}},
        "without end": {"size": None, "headers": {}},
        "a refusal without end": {"size": None, "headers": {}, "status": 500},
        "gzip without end": {"size": None, "headers": GZIP, "piece": gzip.compress(PIECE)},
    }


class BombServer:
    """Answers what is asked of it with the bomb it was given; splits and dividends are there as ever."""

    def __init__(self) -> None:
        self.kind: dict[str, Any] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "splits" in request.path or "dividends" in request.path:
            return web.json_response({"status": "OK", "results": []})
        return await explode(request, self.kind)


async def explode(request: web.Request, kind: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(status=kind.get("status", 200), headers=kind["headers"])
    await response.prepare(request)
    with contextlib.suppress(OSError):
        if "body" in kind:  # its length is not announced: it is counted as it comes
            await response.write(kind["body"])
            return response
        piece, left = kind.get("piece", PIECE), kind["size"]
        while left is None or left > 0:
            await response.write(piece)
            left = None if left is None else left - len(piece)
    return response


@contextlib.asynccontextmanager
async def serving(handler: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def bombs(_: float) -> dict[str, Any]:
    """Each bomb alone and 64 times at once in a process of its own; a flat file; then a cycle whose range bars are."""
    figures: dict[str, Any] = {}
    server = BombServer()
    async with serving(server.answer) as url:
        for name, kind in kinds().items():
            server.kind = kind
            for count in AT_ONCE:
                figures[f"{name}, {count} at once"] = await _printed("-m", "tests.outages.bomb_asker", url, str(count))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "2026-07-15.csv.gz"
        path.write_bytes(gzip.compress(b"ticker,volume,window_start\n") + gzip_of_blanks(2 * GB))
        figures["a flat file of 2 GB of blanks"] = await _printed("-c", FLAT_FILE, str(path))
    figures["a cycle whose range bars are 2 GB of blanks"] = await _cycle(kinds()["2 GB of blanks in gzip"])
    return figures


async def _printed(*arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return dict(json.loads(out))


async def _cycle(kind: Any) -> dict[str, Any]:
    address: dict[str, str] = {}
    armed = asyncio.Event()
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def hand_on(request: web.Request) -> web.StreamResponse:
            if armed.is_set() and "/range/5/" in request.path:
                return await explode(request, kind)
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            async with session.get(address["market"] + request.raw_path, headers=headers) as given:
                kept = {n: v for n, v in given.headers.items() if n in ("Content-Encoding", SOURCE_HEADER)}
                return web.Response(
                    status=given.status, body=await given.read(), headers=kept, content_type=given.content_type
                )

        async with serving(hand_on) as url, ground(tickers=200, MASSIVE_BASE_URL=url) as on:
            address["market"] = on.deployed.market.url
            await on.amid("ohlc_daily/bars", done=1)
            armed.set()
            began, peak = time.monotonic(), 0
            while time.monotonic() - began < CYCLE_LASTS_S:
                for process in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if "consumer" in process.cmdline():
                            peak = max(peak, process.memory_info().rss)
                await asyncio.sleep(0.2)
            async with on.workload.ledger() as db:
                cycle = await db.fetchrow("SELECT state, reason FROM cycle ORDER BY cycle_id DESC LIMIT 1")
                parts = {
                    f"{row[0]}: {row[1]}": row[2]
                    for row in await db.fetch("SELECT state, left(reason, 160), count(*) FROM part GROUP BY 1, 2")
                }
            figures = {"peak MB of a worker": peak >> 20, "the cycle": dict(cycle), "parts": parts}
            since = on.began
            figures["log lines"] = len([line for line in on.lines(since) if line.get("level") != "DEBUG"])
            armed.clear()
            asked = await on.workload.quiet(within_s=ENDS_WITHIN_S)  # what waits for its next pass is asked for again
            return {**figures, "asked again, and complete": len(asked)}
