"""A night in which everything fails that knows a secret, grepped for every secret in every form."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import sys
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import asyncpg
import psutil
import redis.asyncio
from aiohttp import web

from process.redaction import _forms_of
from simulated_market.identity import SOURCE_HEADER
from tests.crash.chaos import schedule_for
from tests.crash.deployment import deployment
from tests.crash.workload import Workload
from tests.looking import look_into
from tests.outages.bombs import serving
from tests.outages.ground import DATABASE, ENDS_WITHIN_S, QUICK, make_database
from tests.terminal.modes import open_to_others

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.crash.deployment import Deployment

SECRETS = {
    "MASSIVE_API_KEY": "key/Vendor+Sesame=é1",
    "redis password": "redis%Sesame@/2",
    "postgres password": "postgres&Sesame:#3",
    "MASSIVE_S3_ACCESS_KEY_ID": "AKIASESAME4444444444",
    "MASSIVE_S3_SECRET_ACCESS_KEY": "s3/Sesame+Secret=5555",
    "MAINTENANCE_API_TOKEN": "token\"Sesame'6666",
}
REDIS_DB = 1
ECHO_EVERY = 7
VERBS = (
    ("status",), ("doctor",), ("coverage",), ("verify",), ("pending",), ("plan",), ("dead-letters", "list"),
    ("findings", "list"), ("gaps",),
)  # fmt: skip
PATHS = ("/health", "/status", "/pending", "/nothing-there")


def echoes(number: int) -> web.Response:
    """A refusal that says the key again, each time otherwise."""
    forms = sorted(set(_forms_of(SECRETS["MASSIVE_API_KEY"])))
    said = f"key {forms[number % len(forms)]} of {forms[-number % len(forms)]}"
    kinds: list[tuple[int, Any]] = [
        (500, {"error": said}), (429, {"message": said}), (200, {"status": "ERROR", "error": said}), (502, said),
        (200, {"status": "OK", "results": [{"ticker": said, "o": said}], "next_url": f"https://{said}"}),
        (302, said), (404, f"<title>{said}</title>"), (403, f"<title>{said}</title>"), (200, said),
    ]  # fmt: skip
    status, body = kinds[number % len(kinds)]
    headers = {"Retry-After": "0", "Location": f"https://elsewhere/?apiKey={quote(said)}"}
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(status=status, text=text, headers=headers)


async def noisy_night(_: float) -> dict[str, Any]:
    """Cycles through echoed refusals, a changed password and a 401; commands with right and wrong secrets."""
    rule, day = schedule_for(dt.datetime.now(dt.UTC))
    settings = {
        **QUICK, "MAINTENANCE_SCHEDULE": rule, "HTTP_PORT": "0", "LOG_LEVEL": "debug",
        "MASSIVE_FLAT_FILES": "s3://flatfiles", "MASSIVE_S3_ENDPOINT": "http://127.0.0.1:9",
        **{name: value for name, value in SECRETS.items() if name.isupper()},
    }  # fmt: skip
    said: dict[str, str] = {}
    asked, refuses_the_key = 0, False
    async with (
        deployment(tickers=60, latency_ms=1, settings=settings, postgres={}) as deployed,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):

        async def hand_on(request: web.Request) -> web.StreamResponse:
            nonlocal asked
            asked += 1
            if refuses_the_key:
                return web.json_response({"error": f"Unknown API Key {request.headers['Authorization']}"}, status=401)
            if asked % ECHO_EVERY == 0:
                return echoes(asked // ECHO_EVERY)
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            async with session.get(deployed.market.url + request.raw_path, headers=headers) as given:
                kept = {n: v for n, v in given.headers.items() if n in ("Content-Encoding", SOURCE_HEADER)}
                return web.Response(
                    status=given.status, body=await given.read(), headers=kept, content_type=given.content_type
                )

        async with serving(hand_on) as url:
            await make_database(deployed)
            servers = _servers(deployed)
            settings.update(MASSIVE_BASE_URL=url, **servers)
            async with _password_set(deployed) as master:
                workload = Workload(deployed, day, Random(1), database=DATABASE, redis_db=REDIS_DB)
                async with deployed.running(DATABASE, REDIS_DB, workers=2, producers=1):
                    http = await _http(settings, deployed.home)
                    await _ended(workload, 1)
                    await master.config_set("requirepass", "another")  # everybody is refused for a while
                    await master.client_kill_filter(_type="normal", skipme=True)
                    said["doctor, refused"] = await _command(settings, "doctor")
                    await asyncio.sleep(5)
                    await master.config_set("requirepass", SECRETS["redis password"])
                    refuses_the_key = True
                    said["trigger"] = await _command(settings, "trigger", "--day", str(day), "--force")
                    await asyncio.sleep(5)
                    for verb in VERBS:
                        said[" ".join(verb)] = await _command(settings, *verb)
                    for name, wrong in _wrong(settings).items():
                        said[name] = await _command({**settings, **wrong}, "doctor")
                    said["http"] = await _http_says(http)
                    said["ps"] = " ".join(_command_lines())
                    said["redis"] = repr([await _dump(master, key) async for key in master.scan_iter("*")])
                    said["postgres"] = await _tables(deployed)
                    modes = open_to_others(deployed.home)
            said |= {str(path.relative_to(deployed.home)): path.read_text("utf-8", "replace")
                     for path in deployed.home.rglob("*.log*")}  # fmt: skip
    found = {f"{where}: {secret}": form for where, text in said.items() for secret, form in _leaks(text)}
    figures = {where: len(text) for where, text in said.items()}
    assert not found, found
    return {
        "characters searched": figures, "secrets found": len(found),
        "hidden": sum(text.count("***") for text in said.values()),
        "open to others, not of ours": Counter(line.rsplit(" ", 1)[1] for line in modes),
    }  # fmt: skip


def _leaks(text: str) -> Iterator[tuple[str, str]]:
    for name, secret in SECRETS.items():
        for form in sorted(set(_forms_of(secret))):
            if len(form) >= 8 and form in text:
                at = text.index(form)
                yield name, text[max(0, at - 200) : at + 80]


def _servers(deployed: Deployment) -> dict[str, str]:
    database = deployed.dsn(DATABASE).replace("postgres@", f"postgres:{quote(SECRETS['postgres password'], safe='')}@")
    password = quote(SECRETS["redis password"], safe="")
    return {"DATABASE_URL": database, "REDIS_URL": f"unix://:{password}@{deployed.redis.socket_path}?db={REDIS_DB}"}


def _wrong(settings: dict[str, str]) -> dict[str, dict[str, str]]:
    redis_url, database = settings["REDIS_URL"], settings["DATABASE_URL"]
    host = "127.0.0.1:9"
    key = quote(SECRETS["MASSIVE_API_KEY"], safe="")
    return {
        "nobody there": {"REDIS_URL": f"redis://:{quote(SECRETS['redis password'], safe='')}@{host}",
                         "DATABASE_URL": f"postgresql://u:{quote(SECRETS['postgres password'], safe='')}@{host}/d"},
        "not encoded": {"REDIS_URL": f"redis://:{SECRETS['redis password']}@{host}",
                        "DATABASE_URL": f"postgresql://u:{SECRETS['postgres password']}@{host}/d"},
        "as parameters": {"REDIS_URL": redis_url + "&what=ever", "DATABASE_URL": database + "&what=ever"},
        "in addresses": {"MASSIVE_BASE_URL": f"ftp://user:{key}@{host}/", "MASSIVE_S3_ENDPOINT": f"ftp://u:{key}@h"},
        "in an address that is taken": {"MASSIVE_BASE_URL": f"http://user:{key}@{host}/"},
        "no database": {"DATABASE_URL": database.replace(f"/{DATABASE}?", "/none?")},
    }  # fmt: skip


@contextlib.asynccontextmanager
async def _password_set(deployed: Deployment) -> Any:
    """A client that stays logged in whatever the password is changed to."""
    path = str(deployed.redis.socket_path)
    master = redis.asyncio.Redis(unix_socket_path=path, db=REDIS_DB, decode_responses=True, max_connections=1)
    await master.config_set("requirepass", SECRETS["redis password"])
    try:
        yield master
    finally:
        await master.config_set("requirepass", "")
        await master.aclose()


async def _http(settings: dict[str, str], home: Path) -> str:
    """A third consumer, with the HTTP API; its address."""
    log = home / "http.log"
    with log.open("ab") as target:
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "consumer", env={**os.environ, **settings, "LOG_FORMAT": "json"}, stderr=target
        )
    async with asyncio.timeout(60):
        while True:
            for line in log.read_text().splitlines():
                if "http_api_listening" in line:
                    return str(json.loads(line)["url"])
            await asyncio.sleep(0.1)


async def _http_says(url: str) -> str:
    said = []
    async with aiohttp.ClientSession() as http:
        for path in PATHS:
            async with http.get(url + path) as answer:
                said.append(await answer.text() + str(answer.headers))
        for token in ("wrong", SECRETS["MAINTENANCE_API_TOKEN"]):
            for body in ("{}", "no JSON"):
                async with http.post(
                    f"{url}/trigger", data=body, headers={"Authorization": f"Bearer {token}"}
                ) as answer:
                    said.append(await answer.text() + str(answer.headers))
    for process in psutil.Process().children(recursive=True):
        if process.cmdline()[1:] == ["-m", "consumer"]:
            process.terminate()
    return " ".join(said)


async def _ended(workload: Workload, cycles: int) -> None:
    """Until so many cycles are at rest, however they ended: this night some of its questions are never answered."""
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            with contextlib.suppress(asyncpg.PostgresError):
                async with workload.ledger() as db:
                    query = "SELECT count(*) FROM cycle WHERE state <> 'running'"
                    if int(await db.fetchval(query)) >= cycles:
                        return
            await asyncio.sleep(0.2)


async def _command(settings: dict[str, str], *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer.terminal", *arguments, env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode("utf-8", "replace")


def _command_lines() -> list[str]:
    return [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]


async def _dump(client: redis.asyncio.Redis, key: str) -> str:
    match await client.type(key):
        case "string":
            return f"{key} {await client.get(key)}"
        case "hash":
            return f"{key} {await client.hgetall(key)}"
        case "stream":
            return f"{key} {await client.xrange(key)}"
        case "zset":
            return f"{key} {await client.zrange(key, 0, -1)}"
        case "set":
            return f"{key} {await client.smembers(key)}"
        case _:
            return f"{key} {await client.lrange(key, 0, -1)}"


async def _tables(deployed: Deployment) -> str:
    connection = await look_into(deployed.dsn(DATABASE))
    try:
        names = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
        rows = [await connection.fetch(f'SELECT t::text FROM "{row[0]}" t') for row in names]
    finally:
        await connection.close()
    return "\n".join(row[0] for table in rows for row in table)
