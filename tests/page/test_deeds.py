"""What a person has done by a click: shown first, done by the commands' functions, kept with who and why."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from contract import keys
from tests.cycle.stack import CALENDAR, DAY, until
from tests.page.serving import TOKEN

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

SIGNED = {"by": "anna", "reason": "the vendor was away"}
BEFORE = CALENDAR.previous_trading_day(DAY)
EVERY_DEED: list[tuple[str, dict[str, Any]]] = [
    ("backfill", {"first": str(DAY), "last": str(DAY), "parts": {}}),
    ("task", {"day": str(DAY)}),
    ("letters", {"act": "drop", "ids": [1]}),
    ("boundary", {"symbol": "A", "day": str(DAY), "state": "accepted"}),
    ("finding", {"finding_id": 1}),
    ("recheck", {}),
]


async def acts_of(client: Client, kind: str) -> dict[str, dict[str, Any]]:
    """The buttons of the only finding of a kind, by label."""
    answer = await (await client.get("/page/overview")).json()
    (found,) = [one for one in answer["findings"] if one["kind"] == kind]
    return {act["label"]: act for act in found["acts"]}


async def do(client: Client, act: dict[str, Any], **other: str) -> tuple[int, dict[str, Any]]:
    """Look at the preview, where there is one, and ask for just that."""
    shown = await (await client.get(act["preview"])).json() if "preview" in act else {"body": {}}
    body = {**act.get("body", {}), **shown["body"], **SIGNED, **other}
    answer = await client.post(act["path"], json=body)
    return answer.status, dict(await answer.json())


async def give_up(stack: Stack, *days: str) -> None:
    """Entries that no worker takes: their day is none."""
    for day in days:
        await stack.redis.xadd(keys.TASKS.name, {"task": "ohlc_daily", "trading_day": day})

    async def given_up() -> bool:
        return int(await stack.value("SELECT count(*) FROM dead_letter")) == len(days)

    async with stack.working():
        await until(given_up, what="the letters")


async def decided(client: Client) -> list[tuple[str, str, str, str]]:
    found = await (await client.get("/page/decided")).json()
    return [(one["what"], one["settled"], one["by"], one["reason"]) for one in found]


@pytest.mark.parametrize(("name", "body"), EVERY_DEED)
async def test_every_deed_wants_the_token_and_is_refused_to_pages_of_other_sites(
    guarded: Client, name: str, body: dict[str, Any]
) -> None:
    signed = body if name == "recheck" else {**body, **SIGNED}
    own = {"Authorization": f"Bearer {TOKEN}"}
    assert (await guarded.post(f"/page/{name}", json=signed)).status == 401
    foreign = await guarded.post(f"/page/{name}", json=signed, headers={**own, "Sec-Fetch-Site": "cross-site"})
    assert foreign.status == 403
    assert (await guarded.post(f"/page/{name}", json=signed, headers=own)).status in (200, 202, 409, 422)


@pytest.mark.parametrize(("name", "body"), EVERY_DEED[:-1])
async def test_nothing_is_done_without_who_and_why(
    stack: Stack, client: Client, name: str, body: dict[str, Any]
) -> None:
    for unsigned in ({}, {"by": "anna"}, {"by": "anna", "reason": ""}, {"by": " ", "reason": "why"}):
        assert (await client.post(f"/page/{name}", json={**body, **unsigned})).status == 400
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_letters_are_shown_before_they_are_dropped_and_only_those_that_were_shown(
    stack: Stack, client: Client
) -> None:
    await give_up(stack, "2025-11-08")
    act = (await acts_of(client, "dead letters"))["Drop"]
    shown = await (await client.get(act["preview"])).json()
    assert shown["words"].startswith("1 letter would be settled without being done")
    assert "2025-11-08" in shown["lines"][0]
    assert shown["refused"] is None
    await give_up_another(stack)
    dropped = await client.post(act["path"], json={**shown["body"], **SIGNED})
    assert (dropped.status, (await dropped.json())["words"]) == (200, "1 dropped")
    rows = await stack.pool.fetch("SELECT state, settled_by, settled_reason FROM dead_letter ORDER BY dead_letter_id")
    assert [tuple(row) for row in rows] == [("dropped", "anna", "the vendor was away"), ("open", None, None)]
    again = await client.post(act["path"], json={**shown["body"], **SIGNED})
    assert (again.status, "seen to" in await again.text()) == (409, True)
    assert await decided(client) == [("dead letters", "dropped", "anna", "the vendor was away")]


async def give_up_another(stack: Stack) -> None:
    """The same once more, of the same cause."""
    await stack.pool.execute(
        "INSERT INTO dead_letter (stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, state) "
        "SELECT stream, '9-9', reason, fingerprint, deliveries, dead_at, fields, state FROM dead_letter"
    )


async def test_whoever_looks_right_after_a_deed_sees_what_came_of_it(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.page.shared.SAME_ANSWER_S", 3600.0)
    await give_up(stack, "2025-11-08")
    assert (await do(client, (await acts_of(client, "dead letters"))["Drop"]))[0] == 200
    answer = await (await client.get("/page/overview")).json()
    assert "dead letters" not in {one["kind"] for one in answer["findings"]}


async def test_letters_that_would_only_come_back_say_so_before_and_are_refused(stack: Stack, client: Client) -> None:
    await stack.redis.xadd(keys.TASKS.name, {"task": "no_such_task"})

    async def given_up() -> bool:
        return int(await stack.value("SELECT count(*) FROM dead_letter")) == 1

    async with stack.working():
        await until(given_up, what="the letter")
    act = (await acts_of(client, "dead letters"))["Ask for it again"]
    shown = await (await client.get(act["preview"])).json()
    assert "no_such_task" in shown["refused"]
    status, answer = await do(client, act)
    assert (status, "no_such_task" in answer["detail"]) == (422, True)
    assert await stack.value("SELECT state FROM dead_letter") == "open"


async def test_what_was_given_up_is_asked_for_again_as_the_command_asks(stack: Stack, client: Client) -> None:
    await give_up(stack, "2025-11-08")
    act = (await acts_of(client, "dead letters"))["Ask for it again"]
    shown = await (await client.get(act["preview"])).json()
    assert "would send task ohlc_daily trading_day 2025-11-08" in shown["lines"][0]
    assert await stack.redis.xlen(keys.TASKS.name) == 0
    status, answer = await do(client, act)
    assert (status, answer["words"]) == (200, "1 asked for again")
    ((_, fields),) = await stack.redis.xrange(keys.TASKS.name)
    assert (fields["task"], fields["requested_by"]) == ("ohlc_daily", "dead-letters replay")
    assert await stack.value("SELECT settled_by FROM dead_letter") == "anna"


async def test_a_boundary_and_a_finding_are_decided_by_a_click_and_what_was_accepted_says_who_said_so(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    symbol = str(await stack.value("SELECT min(symbol) FROM daily_bar WHERE trading_date = $1", DAY))
    await stack.pool.execute(
        "INSERT INTO series_boundary (symbol, boundary_day, state, evidence, found_at) "
        "VALUES ($1, $2, 'proposed', 'opened at 3, the close before was 30', $3)",
        *(symbol, DAY, stack.clock()),
    )
    load = await stack.value("SELECT load_id FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", BEFORE)
    finding = await stack.value(
        "INSERT INTO session_finding (trading_day, data_set, kind, reason, symbols, evidence, load_id, found_at) "
        "VALUES ($1, 'daily_bars', 'repeated_prices', 'as the day before', '{}', '{}', $2, $3) RETURNING finding_id",
        *(BEFORE, load, stack.clock()),
    )
    begins = (await acts_of(client, "boundary"))["A new series begins"]
    shown = await (await client.get(begins["preview"])).json()
    assert "figures are made of nothing before it" in shown["words"]
    assert any(str(BEFORE) in line for line in shown["lines"])
    assert (await do(client, begins))[0] == 200
    assert (await do(client, begins))[0] == 409
    row = await stack.pool.fetchrow("SELECT state, decided_by, decided_reason FROM series_boundary")
    assert row is not None
    assert tuple(row) == ("accepted", "anna", "the vendor was away")

    acts = await acts_of(client, "suspect")
    assert list(acts) == ["Accept what stands"]
    nothing_aside = {**acts["Accept what stands"], "body": {"finding_id": finding, "take_new": True}}
    assert (await do(client, nothing_aside))[0] == 422
    assert (await do(client, acts["Accept what stands"], reason="a holiday in half the world"))[0] == 200
    answer = await (await client.get("/page/overview")).json()
    (accepted,) = [one for one in answer["findings"] if one["kind"] == "accepted"]
    assert (accepted["by"], accepted["said"]) == ("anna", "a holiday in half the world")
    assert (accepted["repairable"], "acts" in accepted) == (False, False)
    assert {what for what, *_ in await decided(client)} == {"finding", "boundary"}


async def test_caches_that_were_lost_are_written_anew_by_a_click_and_the_request_says_who_asked(
    stack: Stack, client: Client
) -> None:
    cycle = await stack.run_cycle()
    await stack.redis.flushdb()
    act = (await acts_of(client, "caches"))["Write the caches anew"]
    assert "Nothing is asked of the vendor" in act["effect"]
    status, answer = await do(client, act)
    assert (status, answer["words"].startswith("asked for")) == (202, True)
    async with stack.working():
        await stack.at_rest(after=cycle.cycle_id)
    asked = await stack.cycle()
    assert asked is not None
    assert (asked.requested_by, asked.tasks) == ("anna: the vendor was away", ("redis_sync",))
    found = await (await client.get("/page/overview")).json()
    assert [one["kind"] for one in found["findings"]] == []


async def test_no_task_is_asked_for_of_a_session_that_is_not_over(stack: Stack, client: Client) -> None:
    tomorrow = CALENDAR.next_trading_day(DAY)
    answer = await client.post("/page/task", json={"day": str(tomorrow), **SIGNED})
    assert (answer.status, "has not closed yet" in await answer.text()) == (422, True)
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_looking_again_reads_what_somebody_has_changed_by_hand(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    before = await (await client.get("/page/overview")).json()
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", BEFORE)
    kept = await (await client.get("/page/overview")).json()
    assert (before["findings"], kept["findings"]) == ([], [])
    seen = await (await client.post("/page/recheck", json={})).json()
    assert [one["first"] for one in seen["findings"]] == [str(BEFORE)]
    assert (await (await client.get("/page/overview")).json())["findings"] == seen["findings"]


def test_the_days_of_this_module_are_sessions() -> None:
    assert not CALENDAR.is_trading_day(dt.date(2025, 11, 8))
