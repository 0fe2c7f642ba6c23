"""The HTTP API: what it answers, what it refuses, and that a refusal names the cure."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from consumer.checks.pending_work import PendingWork
from consumer.delivery.entries import Outgoing
from contract import keys
from tests.cycle.stack import DAY, new_york, until
from tests.web.conftest import TOKEN

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]


async def test_the_status_tells_the_running_cycle_the_last_one_and_what_is_due_next(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    status = await (await client.get("/status")).json()
    assert status["current"] is None
    assert (status["session"]["date"], status["session"]["state"]) == (DAY.isoformat(), "final")
    assert (status["serving"]["service"], status["serving"]["rule"]) == ("served", "CLOSED+15m")
    assert (status["last"]["trading_day"], status["last"]["state"]) == (DAY.isoformat(), "complete")
    assert status["last_run"] == status["last_final"] == DAY.isoformat()
    assert (status["behind"], status["caches"]) == ({}, True)
    assert (status["next_due"]["trading_day"], status["next_due"]["rule"]) == ("2025-11-12", "POST_MARKET+1h")
    assert dt.datetime.fromisoformat(status["next_due"]["at"]) == new_york(dt.date(2025, 11, 12), "17:00")
    assert status["streams"] == {"tasks": 0, "pending": 0, "later": 0}
    assert (status["dead_letters"], status["for_newer_workers"]) == (0, [])


async def test_the_status_names_what_waits_for_a_newer_worker_with_its_version(stack: Stack, client: Client) -> None:
    due_at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)  # of the server's clock, which is the real one
    newer = {"task": "order_books", "part": "[red]", "version": "2"}
    await stack.stream.enqueue([Outgoing(fields=newer, key="any", due_at=due_at)])
    (work,) = (await (await client.get("/status")).json())["for_newer_workers"]
    assert (work["task"], work["part"], work["version"]) == ("order_books", "[red]", 2)
    assert work["note"] == "waits for a newer worker: version 2, and 1 is known here"


async def test_health_names_both_servers_and_their_latency(client: Client) -> None:
    answer = await client.get("/health")
    health = await answer.json()
    assert (answer.status, health["healthy"]) == (200, True)
    assert {"postgresql", "redis"} < set(health["checks"])
    assert health["checks"]["redis"]["latency_ms"] >= 0


async def test_pending_work_is_told_as_the_command_line_tells_it(client: Client) -> None:
    answer = await client.get("/pending")
    assert answer.status == 200
    assert set(await answer.json()) == set(PendingWork.__struct_fields__)


async def test_a_trigger_is_accepted_and_stands_in_the_stream(stack: Stack, client: Client) -> None:
    answer = await client.post("/trigger", json={"trading_day": DAY.isoformat(), "task": "ohlc_daily"})
    assert (answer.status, answer.headers["Location"]) == (202, f"/cycles/{DAY}")
    ((entry_id, fields),) = await stack.redis.xrange(keys.TASKS.name)
    assert (await answer.json())["entry_id"] == entry_id
    assert fields.items() >= {"task": "ohlc_daily", "trading_day": DAY.isoformat(), "requested_by": "http"}.items()


@pytest.mark.parametrize(
    ("path", "body", "status", "cure"),
    [
        ("/trigger", b"{", 400, "send {}"),
        ("/trigger", b'{"day": "2025-11-11"}', 400, "trading_day"),
        ("/trigger", b'{"trading_day": "2025-11-15"}', 422, "trading day"),
        ("/trigger", b'{"trading_day": "2025-11-12"}', 422, "has not closed yet"),
        ("/cycles/2025-11-11/cancel", b"", 404, "nothing runs or waits"),
        ("/cycles/tonight/cancel", b"", 400, "/cycles/2025-11-11/cancel"),
        ("/cycles/2025-11-11/cancel", b'{"why": 1}', 400, "reason"),
        ("/nowhere", b"", 404, "Not Found"),
    ],
)
async def test_what_cannot_be_done_is_a_problem_document_that_names_the_cure(
    stack: Stack, client: Client, path: str, body: bytes, status: int, cure: str
) -> None:
    answer = await client.post(path, data=body)
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    assert cure in (await answer.json(content_type=None))["detail"]
    assert await stack.redis.xlen(keys.TASKS.name) == 0


@pytest.mark.parametrize("target", ["/trigger", f"/cycles/{DAY}/cancel"])
async def test_a_body_without_end_is_refused_before_it_is_read_packed_or_not(client: Client, target: str) -> None:
    for body, headers in ((b" " * 100_000, {}), (gzip.compress(b" " * 9_000_000), {"Content-Encoding": "gzip"})):
        answer = await client.post(target, data=body, headers=headers)
        assert answer.status == 413
        assert "longer than 65536 bytes" in (await answer.json(content_type=None))["detail"]


@pytest.mark.parametrize("path", ["/trigger", f"/cycles/{DAY}/cancel"])
async def test_a_post_needs_the_token_and_a_page_in_a_browser_may_not_post(
    guarded: Client, client: Client, path: str
) -> None:
    assert (await guarded.post(path)).status == 401
    assert (await guarded.post(path, headers={"Authorization": "Bearer wrong"})).status == 401
    assert (await guarded.post(path, headers={"Authorization": f"Bearer {TOKEN}"})).status in (202, 404)
    assert (await client.post(path, headers={"Origin": "https://elsewhere.example"})).status == 403


async def test_a_cycle_is_cancelled_over_http_and_the_status_says_by_whom(stack: Stack, client: Client) -> None:
    await stack.market.fail({"endpoint": "range_bars", "kind": "latency", "latency_ms": 30_000})

    async def runs() -> bool:
        return bool(await stack.value("SELECT count(*) FROM part WHERE state = 'running' AND task = 'volume_slots'"))

    async with stack.working():
        await stack.ask()
        await until(runs, what="running slots")
        answer = await client.post(f"/cycles/{DAY}/cancel", json={"reason": "wrong key", "by": "ann"})
        assert (answer.status, (await answer.json())["cancelled"]) == (200, [1])
        await stack.at_rest()
    status = await (await client.get("/status")).json()
    assert (status["current"], status["last"]["state"]) == (None, "cancelled")
    day = await stack.status()
    assert (day["tasks"]["volume_slots"], day["run"]["tasks"]["volume_slots"]) == ("failed", "skipped")
