"""GET /openapi.json is the routes, both ways; and whatever a generator makes of it, the running service keeps to it."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.page.serving import TOKEN, page_of
from tests.web.conftest import clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from aiohttp import web

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]
ROOT = Path(__file__).parents[2]


def served(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


async def test_the_document_has_every_route_and_no_other_and_says_who_may_ask(stack: Stack, redis_url: str) -> None:
    app = page_of(stack, redis_url)
    async with TestClient(TestServer(app)) as client:
        document: dict[str, Any] = await (await client.get("/openapi.json")).json()
    operations = {(method, path): one for path, some in document["paths"].items() for method, one in some.items()}
    assert set(operations) == served(app)
    assert document["openapi"] == "3.1.0"
    of_the_page = {path for (_, path), one in operations.items() if one["tags"] == ["page"]}
    assert {"/", "/events", "/page/overview"} <= of_the_page
    assert all(path in ("/", "/events") or path.startswith("/page/") for path in of_the_page)
    for (method, path), one in operations.items():
        if path in of_the_page:
            continue
        assert one["summary"] != path, f"{path} says nothing of itself"
        if path in ("/livez", "/readyz", "/health"):
            assert one["security"] == []
        else:
            assert ({"read": []} in one["security"]) is (method == "get"), path
    assert len({one["operationId"] for one in operations.values()}) == len(operations)


@pytest.mark.long(20)
async def test_whatever_is_made_of_the_document_the_service_keeps_to_it(stack: Stack, redis_url: str) -> None:
    await stack.run_cycle()
    async with TestServer(page_of(stack, redis_url, token=TOKEN)) as server:
        command = [sys.executable, "-m", "tests.web.generated_requests", str(server.make_url("")).rstrip("/"), TOKEN]
        asking = functools.partial(
            subprocess.run, command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        done = await asyncio.to_thread(asking)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr[-3000:]
