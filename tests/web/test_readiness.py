"""Alive is the loop, ready is everything that work needs: also a worker and a catch-up that beat, each by its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from consumer.cycle.heartbeat import BEATS_WITHIN, beat
from consumer.runtime import end_all
from consumer.web.monitor import Beside, Monitor
from contract import keys
from process import healthcheck
from tests.cycle.stack import until

if TYPE_CHECKING:
    import pytest
    from aiohttp.test_utils import TestClient

    from consumer.web.health import Check
    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]


def wrong(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if not check.connected}


PROBES = ("/livez", "/readyz", "/health")


async def test_ready_is_said_when_a_worker_and_a_catch_up_beat_and_each_lack_is_named(
    stack: Stack, client: Client, logged: list[dict[str, Any]]
) -> None:
    answer = await client.get("/readyz")
    document = await answer.json(content_type=None)
    assert (answer.status, answer.content_type, document["type"]) == (
        503,
        "application/problem+json",
        "/problems/not-ready",
    )
    assert {name for name, one in document["checks"].items() if not one["connected"]} == {"group", "worker", "catch_up"}
    assert "start a consumer" in document["detail"]

    looking = asyncio.create_task(stack.catch_up.run())
    async with stack.working():
        await until(lambda: _is_ready(client), what="a service that is ready")
        for path in PROBES:
            assert (await client.get(path)).status == 200
        # The catch-up's own cycle may be at work beside them, and says what it does.
        assert [line for line in logged if any(path in str(line) for path in PROBES)] == [], "probes are quiet"
        await end_all([looking])
        stack.clock.at += BEATS_WITHIN * 1.01
        document = await (await client.get("/readyz")).json(content_type=None)
        assert {name for name, one in document["checks"].items() if not one["connected"]} == {"catch_up"}


async def _is_ready(client: Client) -> bool:
    return (await client.get("/readyz")).status == 200


async def test_another_consumers_beats_do_not_count_for_a_process_that_has_its_own(stack: Stack) -> None:
    def monitor_beside(consumer: str | None) -> Monitor:
        return Monitor(
            pool=stack.pool,
            redis=stack.redis,
            expectations=stack.expectations,
            now=stack.clock,
            beside=Beside(consumer=consumer),
        )

    own, other, run = monitor_beside("tests"), monitor_beside("other"), monitor_beside(None)
    await beat(stack.redis, "tests", now=stack.clock())

    async def own_is_ready() -> bool:
        return not wrong(await own.readiness())

    async with stack.working():
        await until(own_is_ready, what="a worker in its group")
        assert wrong(await other.readiness()) == {"worker", "catch_up"}
        assert wrong(await run.readiness()) == set()
    await stack.redis.set(keys.LOOKED.pattern, "by hand")
    assert "catch_up" in wrong(await own.readiness())
    for one in (own, other, run):
        await one.close()


async def test_tables_of_another_program_are_not_ready(stack: Stack, client: Client) -> None:
    await stack.pool.execute("UPDATE schema_migration SET checksum = 'x' WHERE name LIKE '0029%'")
    document = await (await client.get("/readyz")).json(content_type=None)
    assert "maintenance migrate" in document["checks"]["schema"]["error"]


async def test_who_beat_long_ago_is_forgotten(stack: Stack) -> None:
    await beat(stack.redis, "gone", now=stack.clock())
    await beat(stack.redis, "here", now=stack.clock() + 2 * BEATS_WITHIN)
    assert await stack.redis.zrange(keys.LOOKED.pattern, 0, -1) == ["here"]
    assert 0 < await stack.redis.ttl(keys.LOOKED.pattern) <= 2 * BEATS_WITHIN.total_seconds()


async def test_a_container_asks_its_own_port_and_tells_by_its_exit_code(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"HTTP_HOST": "0.0.0.0", "HTTP_PORT": str(client.port)}
    assert await asyncio.to_thread(healthcheck.main, ["/livez"], environment) == 0
    assert await asyncio.to_thread(healthcheck.main, [], environment) == 1
    assert "/problems/not-ready" in capsys.readouterr().out
    assert await asyncio.to_thread(healthcheck.main, [], {"HTTP_PORT": "1"}) == 1
    assert await asyncio.to_thread(healthcheck.main, [], {"HTTP_PORT": "none"}) == 1
    assert "does not answer" in capsys.readouterr().out
