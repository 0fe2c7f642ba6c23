"""Follows docs/migration.md command by command, from a database and a Redis as the earlier service leaves them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import asyncpg
import pytest

from consumer.runtime import utc_now
from contract import keys
from tests.conftest import finish
from tests.crash.stack import simulated_market
from tests.cycle.stack import CALENDAR, until
from tests.neighbours.sql_earlier import leave_earlier_tables
from tests.terminal.conftest import environment_without_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

    from tests.databases import Databases

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]
#: What a test has no container, client or copy for.
ELSEWHERE = ("set -a", "docker stop", "docker rm", "pg_dump", "redis-cli --rdb")
GONE = "GONE"
PATIENCE_S = 90


@pytest.fixture
def postgres_dsn(databases: Databases) -> Iterator[str]:
    yield finish(databases.lend())
    finish(databases.take_back())


async def leave_earlier_keys(redis: Redis, day: dt.date) -> None:
    """Leave what the earlier service wrote, of a symbol that is listed and of one that is no more."""
    old = day - dt.timedelta(days=90)
    for symbol in ("AAPL", GONE):
        await redis.set(keys.TICKER_METADATA.pattern.format(symbol=symbol), json.dumps({"symbol": symbol, "beta": 9.9}))
        await redis.set(f"ticker:metadata:{symbol}", "{}", ex=86_400)
        name = keys.RVOL_AVERAGES.pattern.format(symbol=symbol)
        await redis.hset(name, mapping={"66": "1", "67": "2"})
        await redis.expire(name, 8 * 3600)
    await redis.hset(keys.ATR_DAILY.pattern, GONE, json.dumps({"atr": 1.0, "atr_percent": 1.0, "updated": str(old)}))
    await redis.sadd(keys.TICKER_UNIVERSE.pattern, "AAPL", GONE)
    await redis.set(keys.LAST_RUN.pattern, day.isoformat())
    status = {"date": str(day), "started_at": None, "all_success": True, "tasks": {"ohlc_daily": "completed"}}
    await redis.set(keys.status_key(day), json.dumps(status), ex=7 * 86_400)


class Evening:
    """One evening: the environment of all commands, and the service once it is up."""

    def __init__(self, dsn: str, redis_url: str, folder: Path, port: int) -> None:
        self.environment = {
            **environment_without_key(), "DATABASE_URL": dsn, "REDIS_URL": redis_url, "DATA_DIR": str(folder),
            "HTTP_PORT": "0", "HISTORICAL_PORT": str(port), "MAINTENANCE_WORKERS": "1", "LOG_FORMAT": "json",
        }  # fmt: skip
        self.port = port
        self.service: subprocess.Popen[bytes] | None = None
        self._log = folder / "service.log"

    async def maintenance(self, *arguments: str) -> tuple[int, str]:
        ran = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "consumer.terminal", *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await ran.communicate()
        assert ran.returncode is not None
        return ran.returncode, said.decode()

    async def up(self) -> None:
        """Start what the container would."""
        with self._log.open("wb") as log:
            self.service = subprocess.Popen(
                [sys.executable, "-m", "consumer.terminal", "run"],
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        connection = await asyncpg.connect(self.environment["DATABASE_URL"])
        try:

            async def is_complete() -> bool:
                assert self.service is not None
                assert self.service.poll() is None, self._log.read_text()
                return bool(await connection.fetchval("SELECT bool_or(state = 'complete') FROM maintenance.cycle"))

            await until(is_complete, within_s=PATIENCE_S)
        finally:
            await connection.close()

    async def ask(self, path: str) -> dict[str, object]:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            assert answer.status == 200
            return dict(await answer.json())

    def down(self) -> None:
        if self.service is not None and self.service.poll() is None:
            self.service.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.service.wait(20)
            self.service.kill()
            self.service.wait()


@pytest.fixture
def evening(postgres_dsn: str, redis_url: str, tmp_path: Path) -> Iterator[Evening]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with simulated_market(tickers=24, latency_ms=0) as market:
        found = Evening(postgres_dsn, redis_url, tmp_path, port)
        found.environment |= {"MASSIVE_BASE_URL": market.url, "MASSIVE_API_KEY": "any"}
        yield found
        found.down()


@pytest.mark.long(10)
async def test_the_page_followed_command_by_command_leads_from_the_earlier_service_to_this_one(
    evening: Evening, postgres_dsn: str, redis: Redis
) -> None:
    days = CALENDAR.last_trading_days(30, up_to=CALENDAR.last_completed(utc_now()))
    bars = [(day, symbol, 9.0, 11.0, 8.0, 10.0, 1000.0) for day in days for symbol in ("AAPL", GONE)]
    await leave_earlier_tables(postgres_dsn, bars=bars, slots=[(days[-1], "AAPL", 66, 5.0)])
    await leave_earlier_keys(redis, days[-1])
    # The vendor's data may take the place of caches that nobody has signed; the simulated market says that it is one.
    await redis.set(keys.SOURCE.pattern, "simulated seed=7 tickers=24 dividends=1")
    ran = []
    for command in COMMANDS:
        if command.startswith("maintenance "):
            code, said = await evening.maintenance(*command.split()[1:])
            ran.append((command, code))
            if command == "maintenance doctor":
                assert "--adopt" in said
                assert "READERS_SCHEMA" in said
        elif command.startswith("docker compose "):
            await evening.up()
        elif command.startswith("curl "):
            assert "8004/api/stats" in command
            assert await evening.ask("/api/stats")
        else:
            assert command.startswith(ELSEWHERE), f"this test knows nothing for {command!r}"
    assert ran == [
        ("maintenance doctor", 3),
        ("maintenance migrate --adopt", 0),
        ("maintenance trigger --wait", 0),
        ("maintenance status", 0),
        ("maintenance verify", 0),
    ]
    await assert_nothing_of_theirs_is_shown_as_ours(redis, days[-1])


async def assert_nothing_of_theirs_is_shown_as_ours(redis: Redis, day: dt.date) -> None:
    document = json.loads(await redis.get(keys.TICKER_METADATA.pattern.format(symbol="AAPL")))
    assert document.get("beta") != 9.9
    assert await redis.hlen(keys.RVOL_AVERAGES.pattern.format(symbol="AAPL")) == 192
    assert not await redis.hexists(keys.ATR_DAILY.pattern, GONE)
    assert not await redis.sismember(keys.TICKER_UNIVERSE.pattern, GONE)
    assert "summary" in json.loads(await redis.get(keys.status_key(day)))
    # What they left for ever of a symbol that is listed no more goes, as ours would.
    assert 0 < await redis.ttl(keys.TICKER_METADATA.pattern.format(symbol=GONE)) <= 14 * 86_400
    assert 0 < await redis.ttl(keys.RVOL_AVERAGES.pattern.format(symbol=GONE)) <= 8 * 3600
