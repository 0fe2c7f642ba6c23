"""Claims about the program: it says where it listens, serves, and ends when told to."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest
from aiohttp import ClientSession


async def start(*flags: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulated_market",
        *flags,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_it_prints_its_address_serves_and_ends_cleanly(ending):
    flags = ("--port", "0", "--tickers", "30", "--plan", "free", "--assume", '{"snapshot_on_free": true}')
    process = await start(*flags, "--now", "2025-11-11T20:30:00-05:00")
    try:
        origin = json.loads(await process.stdout.readline())["listening"]
        assert origin.startswith("http://127.0.0.1:")
        async with ClientSession() as session:
            async with session.get(f"{origin}/v2/aggs/grouped/locale/us/market/stocks/2025-11-10") as answer:
                assert (answer.status, (await answer.json())["resultsCount"] > 20) == (200, True)
            async with session.get(f"{origin}/v2/aggs/grouped/locale/us/market/stocks/2025-11-11") as answer:
                assert answer.status == 403
            async with session.get(f"{origin}/v2/snapshot/locale/us/markets/stocks/tickers") as answer:
                assert (answer.status, (await answer.json())["count"]) == (200, 30), "turned over by --assume"
    finally:
        process.send_signal(ending)
        rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def test_a_folder_that_is_none_is_refused_before_listening(tmp_path):
    process = await start("--replay", str(tmp_path))
    told, errors = await process.communicate()

    assert (process.returncode, told) == (2, b"")
    assert b"us_stocks_sip/day_aggs_v1" in errors
    assert b"Traceback" not in errors


async def test_an_assumption_that_there_is_not_is_refused_with_where_they_are():
    process = await start("--assume", '{"nope": true}')
    told, errors = await process.communicate()
    assert (process.returncode, told) == (2, b"")
    assert b"assumptions.py has them" in errors
