"""The verb `doctor` as a person at a terminal has it, and a start on an unfit server."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from tests.terminal.conftest import Run


async def test_doctor_finds_servers_fit_and_tells_each_check_in_a_line(run: Run) -> None:
    code, out, err = await run("consumer.terminal", "doctor", "--offline")
    assert (code, err) == (0, "")
    for check in ("redis eviction", "redis clock", "postgresql role", "postgresql schema", "trading calendar"):
        assert check in out
    _, out, _ = await run("consumer.terminal", "doctor", "--offline", "--json")
    findings: list[dict[str, Any]] = json.loads(out)
    assert {"check", "level", "seen", "cure"} == set(findings[0])
    assert all(one["cure"] for one in findings if one["level"] != "ok")


async def test_doctor_exits_3_for_what_breaks_a_promise_and_4_for_a_server_that_is_away(run: Run, redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        code, out, _ = await run("consumer.terminal", "doctor", "--offline")
        assert (code, "CONFIG SET maxmemory-policy noeviction" in out) == (3, True)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    code, out, _ = await run("consumer.terminal", "doctor", "--offline", REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, "correct REDIS_URL" in out, "postgresql role" in out) == (4, True, True)
    gone = "postgresql://127.0.0.1:1/x"
    code, out, _ = await run("consumer.terminal", "doctor", "--offline", DATABASE_URL=gone)
    assert (code, "correct DATABASE_URL" in out, "redis eviction" in out) == (4, True, True)


async def test_the_vendors_key_is_asked_for_by_one_request_unless_offline(run: Run) -> None:
    app = build_app(SimulatorOptions(tickers=20, key="right"), now=lambda: dt.datetime.now(dt.UTC))
    async with TestServer(app) as vendor:
        url = str(vendor.make_url("")).rstrip("/")
        for key, arguments, expected, words in (
            ("right", (), 0, "accepted"),
            ("wrong", (), 3, "set a valid MASSIVE_API_KEY"),
            ("wrong", ("--offline",), 0, "not asked (--offline)"),
        ):
            code, out, _ = await run(
                "consumer.terminal", "doctor", *arguments, MASSIVE_API_KEY=key, MASSIVE_BASE_URL=url
            )
            assert (code, words in out) == (expected, True), out
    away = {"MASSIVE_API_KEY": "right", "MASSIVE_BASE_URL": "http://127.0.0.1:1"}
    code, out, _ = await run("consumer.terminal", "doctor", **away)
    assert (code, "look at MASSIVE_BASE_URL" in out) == (0, True)


async def test_what_a_server_refuses_is_a_finding_of_the_doctor_and_ends_a_start_without_a_traceback(
    run: Run, redis_url: str, postgres_dsn: str
) -> None:
    no_database = postgres_dsn.replace("/test_", "/not_there_", 1)
    stranger = redis_url.replace("unix://", "unix://stranger:wrong@")
    code, out, err = await run("consumer.terminal", "doctor", "--offline", DATABASE_URL=no_database, REDIS_URL=stranger)
    assert (code, err) == (3, "")
    assert "CREATE DATABASE" in out
    assert "correct REDIS_URL" in out
    for wrong in ({"DATABASE_URL": no_database}, {"REDIS_URL": stranger}):
        code, _, err = await run("consumer", "--no-http", LOG_LEVEL="ERROR", MASSIVE_API_KEY="any", **wrong)
        assert (code, "does not start here" in err, "Traceback" in err) == (1, True, False)


async def test_a_consumer_and_a_run_refuse_a_redis_that_evicts_with_the_cure(
    run: Run, redis: Redis, tmp_path: Path
) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        code, _, err = await run("consumer", "--no-http", LOG_LEVEL="ERROR", MASSIVE_API_KEY="any")
        assert (code, "maxmemory-policy noeviction" in err, "Traceback" in err) == (1, True, False)
        code, out, err = await run("consumer.terminal", "run", "--simulated", "--once", DATA_DIR=str(tmp_path / "new"))
        assert (code, "maxmemory-policy noeviction" in out, "Traceback" in err) == (1, True, False)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")


async def test_a_consumer_that_waits_for_its_servers_stops_when_told_to(run: Run) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer", "--no-http", stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0",
             "MASSIVE_API_KEY": "any"},
    )  # fmt: skip
    assert process.stderr is not None
    assert b"redis_not_reachable" in await process.stderr.readline()
    process.terminate()
    await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
