"""What the earlier service answered on its own port, asked of this one: its fields, its two routes, its trigger; and
the port of "historical", taken when it is free."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestClient

from consumer.settings import BadSettings, read_settings
from consumer.web import historical
from consumer.web.earlier import StandsFor
from consumer.web.serving import serve_http
from contract import keys
from contract.reports import encode_status
from tests.cycle.stack import DAY, until
from tests.web.conftest import TOKEN, app_of, client_, clock, guarded, market, monitor_of, postgres_dsn, stack

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

__all__ = ["client_", "clock", "guarded", "market", "postgres_dsn", "stack"]


async def test_health_and_status_have_the_fields_of_the_earlier_service_beside_ours(
    stack: Stack, client: Client
) -> None:
    status = await (await client.get("/status")).json()
    assert (status["status"], status["last_maintenance"]) == ("no_maintenance_run_yet", None)
    health = await (await client.get("/health")).json()
    assert (health["last_maintenance"], health["scheduler_running"]) == (None, False)
    await stack.run_cycle()

    async def health_at_work() -> dict[str, Any] | None:
        """What /health says once the worker has joined its group, which takes it a moment."""
        said: dict[str, Any] = await (await client.get("/health")).json()
        return said if said["scheduler_running"] else None

    async with stack.working():
        health = await until(health_at_work, what="a worker at work")
    assert (health["status"], health["service"]) == ("healthy", "data_maintenance")
    assert (health["redis"], health["timescaledb"]) == ("connected", "connected")
    assert (health["last_maintenance"], health["scheduler_running"]) == (DAY.isoformat(), True)
    assert health["timestamp"] == stack.clock().isoformat().replace("+00:00", "Z")
    assert (health["healthy"], health["checks"]["redis"]["connected"]) == (True, True)
    status = await (await client.get("/status")).json()
    assert (status["status"], status["last_maintenance"]) == ("ok", DAY.isoformat())
    shown = await stack.status()
    assert {name: status["details"][name] for name in ("date", "all_success", "tasks", "state")} == {
        name: shown[name] for name in ("date", "all_success", "tasks", "state")
    }
    assert status["session"]["date"] == DAY.isoformat()


async def test_details_are_of_the_newest_whole_session_where_a_newer_one_is_missing(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    stack.clock.advance(days=1)
    status = await (await client.get("/status")).json()
    assert (status["session"]["date"], status["session"]["state"]) == ("2025-11-12", "missing")
    assert (status["last_maintenance"], status["details"]["date"]) == (DAY.isoformat(), DAY.isoformat())
    details = monitor_of(stack)
    told = await details.details(await details.status())
    assert told is not None
    assert msgspec.json.decode(encode_status(told)).keys() == status["details"].keys()


async def test_historicals_port_speaks_its_words(stack: Stack) -> None:
    async with TestClient(app_of(stack, token=None, stands_for=StandsFor.HISTORICAL)) as client:
        health = await (await client.get("/health")).json()
    assert (health["status"], health["service"]) == ("healthy", "historical")
    assert (health["database"], health["redis"], health["event_bus"]) == ("healthy", "healthy", "connected")


@pytest.mark.parametrize(
    ("path", "status"), [("/trigger", "triggered"), ("/api/warmup", "loading"), ("/api/warmup/premarket", "loading")]
)
async def test_a_trigger_in_the_earlier_services_words_asks_for_that_day(
    stack: Stack, client: Client, path: str, status: str
) -> None:
    answer = await client.post(path, json={"target_date": DAY.isoformat(), "clear_caches": True})
    said = await answer.json()
    assert (answer.status, said["status"], said["accepted"]) == (202, status, True)
    assert (said["target_date"], said["caches_cleared"]) == (DAY.isoformat(), False)
    assert "neighbours are told to clear theirs" in said["notes"][0]
    ((_, fields),) = await stack.redis.xrange(keys.TASKS.name)
    assert fields.items() >= {"task": "cycle", "trading_day": str(DAY), "clear_caches": "true"}.items()
    answer = await client.post(path)  # as "historical" was asked: without a body, for the newest session
    assert (answer.status, (await answer.json())["notes"]) == (202, [])
    assert await stack.redis.xlen(keys.TASKS.name) == 2


async def test_two_days_in_one_request_are_refused_and_the_cure_is_named(stack: Stack, client: Client) -> None:
    for body, status, cure in (
        ({"target_date": "2025-11-10", "trading_day": "2025-11-11"}, 400, "leave one of them out"),
        ({"target_date": "2025-11-15"}, 422, "trading day"),
        ({"target_date": "2025-11-12"}, 422, "has not closed yet"),
    ):
        answer = await client.post("/trigger", json=body)
        assert answer.status == status
        assert cure in (await answer.json(content_type=None))["detail"]
    same = await client.post("/trigger", json={"target_date": "2025-11-11", "trading_day": "2025-11-11"})
    assert same.status == 202
    assert await stack.redis.xlen(keys.TASKS.name) == 1


async def test_the_next_run_is_the_one_that_the_status_names(client: Client) -> None:
    said = await (await client.get("/next-run")).json()
    due = (await (await client.get("/status")).json())["next_due"]
    assert said["next_due"] == due
    assert said["current_time_et"] == "2025-11-11 20:30:00 EST"
    assert said["maintenance"] == {"next_run_et": "2025-11-12 17:00:00 EST", "time_until": "20:30:00", "running": False}


async def test_caches_are_not_cleared_and_the_answer_says_so(stack: Stack, client: Client) -> None:
    await stack.redis.set("scanner:category:gappers", "theirs")
    await stack.run_cycle()
    before = await stack.redis.dbsize()
    said = await (await client.post("/clear-caches")).json()
    assert (said["status"], said["keys_deleted"]) == ("ignored", 0)
    assert await stack.redis.dbsize() == before


async def test_every_request_that_changes_something_wants_the_token_and_no_read_does(guarded: Client) -> None:
    for path in ("/trigger", "/clear-caches", "/api/warmup", "/api/warmup/premarket"):
        assert (await guarded.post(path)).status == 401
        assert (await guarded.post(path, headers={"Authorization": f"Bearer {TOKEN}"})).status in (200, 202)
        foreign = {"Authorization": f"Bearer {TOKEN}", "Sec-Fetch-Site": "cross-site"}
        assert (await guarded.post(path, headers=foreign)).status == 403
    for path in ("/next-run", "/api/universe/symbols", "/api/stats"):
        assert (await guarded.get(path)).status == 200
        assert (await guarded.get(path, headers={"Host": "evil.example"})).status == 421


async def _service(port: int) -> str | None:
    """What /health on *port* calls itself, asked by the name under which its readers know it."""
    try:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/health", headers={"Host": f"historical:{port}"}) as answer:
                return str((await answer.json())["service"])
    except aiohttp.ClientConnectionError:
        return None


async def test_of_two_processes_one_has_historicals_port_and_the_other_takes_it_over(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(historical, "TRIED_AGAIN_AFTER_S", 0.01)
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = theirs.getsockname()[1]
        settings = read_settings({"HTTP_PORT": "0", "HISTORICAL_PORT": str(port)})
        first = serve_http(settings, monitor_of(stack), stack.stream)
        await first.__aenter__()
        await _until_told(logged, "historical_port_taken", times=1)
    await _until_told(logged, "historical_port_served", times=1)
    assert await _service(port) == "historical"
    second = serve_http(settings, monitor_of(stack), stack.stream)
    await second.__aenter__()
    await _until_told(logged, "historical_port_taken", times=2)
    await first.__aexit__(None, None, None)
    await _until_told(logged, "historical_port_served", times=2)
    assert await _service(port) == "historical"
    await second.__aexit__(None, None, None)
    assert await _service(port) is None


async def _until_told(logged: list[dict[str, Any]], event: str, *, times: int) -> None:
    async def told() -> bool:
        return len([line for line in logged if line["event"] == event]) >= times

    await until(told, what=event)


def test_historicals_port_is_off_unless_it_is_set_and_none_of_it_is_refused() -> None:
    assert read_settings({}).historical_port is None
    assert read_settings({"HISTORICAL_PORT": "8004"}).historical_port == 8004
    with pytest.raises(BadSettings, match="HISTORICAL_PORT"):
        read_settings({"HISTORICAL_PORT": "0"})
