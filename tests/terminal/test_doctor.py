"""The verb `doctor` as a person at a terminal has it, and a start on an unfit server."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
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


async def test_live_asks_the_vendor_alone_prints_what_it_saw_and_writes_it_down_without_the_key(
    run: Run, tmp_path: Path
) -> None:
    key, report = "a-key-that-is-nobodys-0001", tmp_path / "seen.json"
    app = build_app(SimulatorOptions(tickers=20, key=key), now=lambda: dt.datetime.now(dt.UTC))
    nowhere = {"REDIS_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    live = ("consumer.terminal", "doctor", "--live", "--report", str(report))
    async with TestServer(app) as vendor:
        url = str(vendor.make_url("")).rstrip("/")
        code, out, err = await run(*live, MASSIVE_API_KEY=key, MASSIVE_BASE_URL=url, **nowhere)
        text = report.read_text("utf-8")
        seen = {one["assumption"]: one["standing"] for one in json.loads(text)["seen"]}
        assert (code, seen["key"], "otherwise" in seen.values()) == (0, "as assumed", False), out
        assert "whoever divides min.av by our mean" in out or "run it" in out
        assert f"to be sent back: {report}" in err
        assert json.loads(text)["settings"]["MASSIVE_API_KEY"] == "set"
        assert key not in text + out + err
        code, out, _ = await run(*live, "--json", MASSIVE_API_KEY="wrong-and-long-enough", MASSIVE_BASE_URL=url)
        assert (code, json.loads(out)["key_accepted"]) == (3, False)
    code, out, _ = await run(*live, "--json", MASSIVE_API_KEY=key, MASSIVE_BASE_URL="http://127.0.0.1:1")
    assert (code, json.loads(out)["exit_code"]) == (4, 4)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("--live",), {}, "set MASSIVE_API_KEY"),
        (("--live", "--offline"), {}, "give one of them"),
        (("--report", "x.json"), {}, "goes with --live"),
        (("--live", "--report", "/not/there/x.json"), {"MASSIVE_API_KEY": "any-long-key"}, "name a file in a folder"),
    ],
)
async def test_a_live_look_that_cannot_be_made_exits_2_before_anything_is_asked(
    run: Run, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    code, out, err = await run("consumer.terminal", "doctor", *arguments, **environment)
    assert (code, out, words in err) == (2, "", True), err
