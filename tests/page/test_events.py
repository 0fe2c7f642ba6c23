"""The page's events: they come as they happen, go on where they broke off, and cost one read however many watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.page import events as events_module
from consumer.page.events import Events, TooManyListeners, frames
from contract import keys
from contract.messages import encode
from contract.reports import EventName, MaintenanceEvent
from tests.cycle.stack import DAY, until
from tests.page.serving import monitor_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]


async def tell(stack: Stack, detail: str) -> str:
    event = MaintenanceEvent(event=EventName.CYCLE_PLANNED, at=stack.clock(), trading_day=DAY, detail=detail)
    return str(await stack.redis.xadd(keys.EVENTS.name, dict(encode(event))))


@pytest.fixture
async def events(stack: Stack, redis_url: str) -> AsyncIterator[Events]:
    found = Events(monitor_of(stack), redis_url, most=3)
    yield found
    await found.close()


def read(frame: bytes) -> tuple[str, str, dict[str, Any]]:
    """Kind, id and data of a frame."""
    fields = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
    return fields["event"], fields["id"], json.loads(fields["data"])


async def test_what_happens_reaches_every_page_that_watches_by_one_read(stack: Stack, events: Events) -> None:
    async with contextlib.AsyncExitStack() as opened:
        pages = [await opened.enter_async_context(contextlib.aclosing(frames(events, None))) for _ in range(3)]
        assert [read(await anext(page))[0] for page in pages] == ["hello"] * 3
        entry_id = await tell(stack, "one")
        for page in pages:
            kind, seen_id, data = read(await anext(page))
            assert (kind, seen_id, data["detail"]) == ("maintenance", entry_id, "one")
        blocked = [one for one in await stack.redis.client_list() if one["cmd"] == "xread"]
        assert len(blocked) == 1


async def test_a_page_that_was_away_is_given_what_it_missed_in_order_and_once(stack: Stack, events: Events) -> None:
    last = await tell(stack, "seen")
    missed = [await tell(stack, "two"), await tell(stack, "three")]
    async with contextlib.aclosing(frames(events, last)) as page:
        assert read(await anext(page))[2] == {"anew": False}
        assert [read(await anext(page))[1] for _ in missed] == missed
        new = await tell(stack, "four")
        assert read(await anext(page))[1] == new


async def test_what_comes_while_the_missed_is_read_is_told_once(
    stack: Stack, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, since = await tell(stack, "seen"), events.since

    async def queued() -> bool:
        return any(listener.waiting.qsize() for listener in events._listeners)

    async def while_reading(last_id: str) -> Any:
        await tell(stack, "meanwhile")
        await until(queued, what="the event among those that come")
        return await since(last_id)

    monkeypatch.setattr(events, "since", while_reading)
    async with contextlib.aclosing(frames(events, last)) as page:
        await anext(page)
        assert read(await anext(page))[2]["detail"] == "meanwhile"
        await tell(stack, "after")
        assert read(await anext(page))[2]["detail"] == "after"


@pytest.mark.parametrize("last_seen", ["nonsense", "0-0"])
async def test_a_page_that_missed_too_much_or_names_no_entry_is_told_to_read_anew(
    stack: Stack, events: Events, monkeypatch: pytest.MonkeyPatch, last_seen: str
) -> None:
    monkeypatch.setattr(events_module, "MOST_BEHIND", 1)
    for word in ("one", "two"):
        newest = await tell(stack, word)
    async with contextlib.aclosing(frames(events, last_seen)) as page:
        assert read(await anext(page)) == ("hello", newest, {"anew": True})


async def test_a_page_beyond_the_bound_is_refused_and_one_that_goes_makes_room(events: Events) -> None:
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(3):
            page = await opened.enter_async_context(contextlib.aclosing(frames(events, None)))
            await anext(page)
        async with contextlib.aclosing(frames(events, None)) as fourth:
            with pytest.raises(TooManyListeners):
                await anext(fourth)
        await page.aclose()
        async with contextlib.aclosing(frames(events, None)) as fourth:
            assert read(await anext(fourth))[0] == "hello"


async def test_a_page_that_takes_nothing_is_let_go_after_what_it_can_still_be_given(
    stack: Stack, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MOST_BEHIND", 2)
    async with contextlib.aclosing(frames(events, None)) as page, contextlib.aclosing(frames(events, None)) as other:
        await anext(page)
        await anext(other)
        for word in ("one", "two", "three"):
            await tell(stack, word)
            await anext(other)
        assert [read(one)[2]["detail"] async for one in page] == ["one", "two"]


async def test_a_quiet_page_is_kept_alive(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "KEEP_ALIVE_S", 0.01)
    async with contextlib.aclosing(frames(events, None)) as page:
        await anext(page)
        assert await anext(page) == b": still here\n\n"


def reading() -> list[asyncio.Task[Any]]:
    """The tasks that read events for pages."""
    return [task for task in asyncio.all_tasks() if "Events._read" in str(task.get_coro())]


async def test_nothing_is_read_while_nobody_watches(stack: Stack, events: Events) -> None:
    async with contextlib.aclosing(frames(events, None)) as page:
        await anext(page)
        assert len(reading()) == 1
    assert reading() == []


async def test_what_somebody_else_writes_to_the_stream_is_no_event(stack: Stack, client: Client) -> None:
    await stack.redis.xadd(keys.EVENTS.name, {"event": "no_such_event"})
    entry_id = await tell(stack, "one")
    log = await (await client.get("/page/log")).json()
    assert [one["id"] for one in log] == [entry_id]


async def test_events_come_over_http_as_the_browser_wants_them(stack: Stack, client: Client) -> None:
    last = await tell(stack, "seen")
    missed = await tell(stack, "missed")
    async with client.get("/events", headers={"Last-Event-ID": last}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        text = b""
        while missed.encode() not in text:
            text += await answer.content.readany()
        assert b"event: hello" in text


async def test_whoever_asks_because_of_an_event_is_told_what_stands_since(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.page.shared.SAME_ANSWER_S", 3600.0)

    async def asked() -> tuple[str, int]:
        overview = await (await client.get("/page/overview")).json()
        return overview["sentence"], len(await (await client.get("/page/log")).json())

    async with client.get("/events") as answer:
        text = b""
        while b"event: hello" not in text:
            text += await answer.content.readany()
        before = await asked()
        await stack.run_cycle()
        while b"cycle_finished" not in text:
            text += await answer.content.readany()
        sentence, told = await asked()
    assert ("has no data" in before[0], before[1]) == (True, 0)
    assert "whole and final" in sentence
    assert told > 1


async def test_a_service_that_ends_does_not_wait_for_pages_that_watch(client: Client) -> None:
    answer = await client.get("/events")
    await answer.content.readany()
    app = client.server.app  # type: ignore[attr-defined]
    await app.shutdown()
    async with asyncio.timeout(5):
        assert await answer.content.read() == b""
