"""Asking for work over HTTP: where to look for it, once for a key, and always with who and why."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError

from consumer.postgres import findings, idempotency
from consumer.postgres.findings import Report
from consumer.web import triggers
from contract import data_sets, keys
from market.findings import Finding, Kind
from tests.cycle.stack import CALENDAR, DAY, until

if TYPE_CHECKING:
    import pytest
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

BEFORE = CALENDAR.last_trading_days(2, up_to=DAY)[0]


async def actions(client: Client) -> list[tuple[str, str, str | None, str]]:
    found = (await (await client.get("/actions")).json())["actions"]
    return [(one["action"], one["author"], one["reason"], one["via"]) for one in found]


async def test_what_was_asked_for_is_found_where_the_answer_says_with_who_and_why(stack: Stack, client: Client) -> None:
    said = {"by": "ann", "reason": "the vendor corrected it"}
    asked = await client.post("/trigger", json={"trading_day": str(DAY), "task": "ohlc_daily", **said})
    where = asked.headers["Location"]
    assert (asked.status, where, (await asked.json())["look_at"]) == (202, f"/cycles/{DAY}", where)
    async with stack.working():
        first = await stack.at_rest()
        filled = await client.post(
            "/backfill", json={"from": str(BEFORE), "to": str(DAY), "task": "ohlc_daily", **said}
        )
        assert (filled.status, filled.headers["Location"]) == (202, f"/cycles/{DAY}")
        last = await stack.at_rest(after=first.cycle_id)

    day = await (await client.get(where)).json()
    assert (day["date"], day["status"]["date"]) == (str(DAY), str(DAY))
    assert [(one["id"], one["kind"], one["first_day"]) for one in day["runs"]] == [
        (last.cycle_id, "backfill", str(BEFORE)),
        (first.cycle_id, "request", None),
    ]
    run = await (await client.get(f"/runs/{first.cycle_id}")).json()
    assert (run, run["report"]["requested_by"]) == (day["runs"][1], "ann")
    assert (await client.get("/runs/99")).status == 404
    assert (await client.get("/cycles/2025-11-15")).status == 404
    assert await actions(client) == [("backfill", *said.values(), "http"), ("trigger", *said.values(), "http")]
    page = await (await client.get("/actions?limit=1")).json()
    assert page["actions"][0]["cycle_id"] == last.cycle_id
    assert [one["action"] for one in (await (await client.get(page["next"])).json())["actions"]] == ["trigger"]


async def test_a_backfill_that_cannot_be_is_refused_and_nothing_is_asked_for(stack: Stack, client: Client) -> None:
    for body, status, cure in (
        ({"from": "2025-11-11", "to": "2025-11-10"}, 422, "the earlier day"),
        ({"from": "2025-11-11", "to": "2025-11-12"}, 422, "not over yet"),
        ({"from": "2025-11-10", "to": "2025-11-11", "task": "redis_sync"}, 422, "no past to fill"),
        ({"from": "1900-01-01", "to": "2025-11-11"}, 422, "calendar"),
        ({"to": "2025-11-11"}, 400, "from"),
    ):
        answer = await client.post("/backfill", json=body)
        assert (answer.status, cure in await answer.text()) == (status, True), body
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_the_same_key_and_body_is_one_request_another_body_none(stack: Stack, client: Client) -> None:
    body = {"trading_day": str(DAY)}
    key = {"Idempotency-Key": '"the night of Tuesday"'}
    first, again = [await client.post("/trigger", json=body, headers=key) for _ in range(2)]
    assert (first.status, again.status) == (202, 202)
    assert (await first.read(), first.headers["Location"]) == (await again.read(), again.headers["Location"])
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert await stack.redis.xlen(keys.TASKS.name) == 1
    for path, other in (("/trigger", {}), ("/backfill", body)):
        refused = await client.post(path, json=other, headers=key)
        document = await refused.json(content_type=None)
        assert (refused.status, document["type"]) == (422, "/problems/key-of-another")
    assert (await client.post("/trigger", json=body, headers={"Idempotency-Key": "ä"})).status == 400
    assert await stack.redis.xlen(keys.TASKS.name) == 1


async def test_a_refusal_keeps_no_key_and_a_second_asker_waits_for_the_first(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": "wednesday"}
    body = {"trading_day": str(DAY + dt.timedelta(days=1))}
    for _ in range(2):
        assert (await client.post("/trigger", json=body, headers=key)).status == 422  # it has not closed yet
    stack.clock.advance(days=1)
    sending, may_send = asyncio.Event(), asyncio.Event()
    send = triggers.request_of

    async def slowly(*asked: Any) -> str:
        sending.set()
        await may_send.wait()
        return await send(*asked)

    monkeypatch.setattr(triggers, "request_of", slowly)
    first = asyncio.create_task(client.post("/trigger", json=body, headers=key))
    await sending.wait()
    second = await client.post("/trigger", json=body, headers=key)
    document = await second.json(content_type=None)
    assert (second.status, document["type"], second.headers["Retry-After"]) == (409, "/problems/under-way", "1")
    may_send.set()
    assert (await first).status == 202


async def test_a_process_that_died_between_work_and_answer_leaves_one_piece_of_work(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any, **__: Any) -> None:
        raise RedisConnectionError("the process is gone")

    key, body = {"Idempotency-Key": "once"}, {"trading_day": str(DAY), "task": "ohlc_daily"}
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep", dies)
        assert (await client.post("/trigger", json=body, headers=key)).status == 503
    assert (await client.post("/trigger", json=body, headers=key)).status == 409, "whose claim it is, nobody knows yet"
    stack.clock.at += idempotency.TAKEN_OVER_AFTER
    assert (await client.post("/trigger", json=body, headers=key)).status == 202
    async with stack.working():
        await stack.at_rest()
    assert len(await stack.cycles()) == 1
    assert len(await actions(client)) == 1


async def test_what_is_done_is_answered_as_done_though_redis_goes_away_before_it_is_tidied_up(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise RedisConnectionError("Redis is gone")

    async with stack.working():
        for task in ("junk", "more"):
            await stack.redis.xadd(keys.TASKS.name, {"task": task, "force": "perhaps"})
        await until(lambda: _two(stack), what="two dead letters")
    await stack.pool.execute('UPDATE dead_letter SET fields = \'{"task": "redis_sync"}\' WHERE dead_letter_id = 2')
    await stack.market.fail({"endpoint": "tickers", "kind": "server_error"})
    waiting = await stack.run_cycle()

    monkeypatch.setattr(stack.stream, "withdraw", away)
    monkeypatch.setattr(stack.redis, "xrevrange", away)
    for path, body, status in (
        (f"/cycles/{DAY}/cancel", {"reason": "the wrong key"}, 200),
        ("/dead-letters/drop", {"ids": [1], "reason": "a typing error"}, 200),
        ("/dead-letters/replay", {"ids": [2]}, 202),
    ):
        key = {"Idempotency-Key": path}
        first, again = [await client.post(path, json=body, headers=key) for _ in range(2)]
        assert (first.status, again.status, await again.read()) == (status, status, await first.read()), path
        assert again.headers["Idempotency-Replayed"] == "true"
    assert (await stack.cycles())[0].state == "cancelled"
    assert waiting.state == "waiting"
    told = [line["event"] for line in logged if line["level"] == "WARNING"]
    assert (told.count("messages_not_withdrawn"), told.count("copies_not_removed")) == (1, 2)


async def test_dead_letters_findings_and_boundaries_are_settled_over_http_and_noted(
    stack: Stack, client: Client
) -> None:
    async with stack.working():
        for task in ("junk", "redis_sync"):
            await stack.redis.xadd(keys.TASKS.name, {"task": task, "force": "perhaps"})
        await until(lambda: _two(stack), what="two dead letters")
    listed = await (await client.get("/dead-letters")).json()
    assert ([one["dead_letter_id"] for one in listed["letters"]], listed["more"]) == ([1, 2], False)
    assert (await client.post("/dead-letters/drop", json={"ids": [1]})).status == 400, "why is wanted"
    dropped = await client.post("/dead-letters/drop", json={"ids": [1, 77], "reason": "a typing error"})
    assert (dropped.status, await dropped.json()) == (200, {"ids": [1]})
    assert (await client.post("/dead-letters/replay", json={"ids": [1]})).status == 404
    assert (await client.post("/dead-letters/replay", json={"ids": [2]})).status == 422, "it would only come back"
    assert (await (await client.get("/dead-letters?settled=true&limit=1")).json())["more"] is True

    found = Finding(kind=Kind.ROWS, reason="2 rows", symbols=("A",))
    async with stack.pool.acquire() as connection, connection.transaction():
        await findings.report(
            connection, data_sets.DAILY_BARS, DAY, Report(finding=found, load_id=1, now=stack.clock())
        )
    (listed_one,) = (await (await client.get("/findings")).json())["findings"]
    assert (listed_one["finding_id"], listed_one["reason"]) == (1, "2 rows")
    accepted = "/findings/1/accept"
    assert (await client.post(accepted, json={"reason": "so it was", "take_new": True})).status == 422
    assert (await client.post(accepted, json={"reason": "so it was"})).status == 200
    assert (await client.post(accepted, json={"reason": "so it was"})).status == 404
    bars = [(day, "AAPL", 10.0, 11.0, 9.0, 10.0, 5.0, 10.0, 3, 1) for day in (BEFORE, DAY)]
    await stack.pool.executemany("INSERT INTO daily_bar VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", bars)
    word = {"accepted": True, "reason": "Form 10", "by": "ann"}
    for path, status in (
        (f"/boundaries/AAPL/{DAY}", 200),
        (f"/boundaries/AAPL/{BEFORE}", 422),
        ("/boundaries/X/x", 400),
    ):
        assert (await client.post(path, json=word)).status == status, path
    assert await actions(client) == [
        ("accept", "ann", "Form 10", "http"),
        ("accept", "http", "so it was", "http"),
        ("drop", "http", "a typing error", "http"),
    ]


async def _two(stack: Stack) -> bool:
    return bool(await stack.redis.xlen(keys.DEAD.name) == 2)
