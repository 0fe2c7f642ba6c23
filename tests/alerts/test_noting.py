"""A missed deadline is a state, an event, a line of the log and a message; so is that its data came after all."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from consumer.alerts.noting import Alerts
from consumer.alerts.receivers import receivers
from consumer.alerts.sender import Sender
from consumer.cycle.announcing import Announcer, Announcing
from consumer.cycle.reporting import Reporter
from consumer.page.overview import Desk
from consumer.terminal import status as terminal
from consumer.terminal.status import exit_code
from contract.reports import EventName, decode_event, decode_status
from process.exit_codes import ExitCode
from tests.cycle.stack import CALENDAR, DAY, Stack, new_york
from tests.page.serving import settings_of
from tests.web.conftest import monitor_of

if TYPE_CHECKING:
    from tests.alerts.receiving import Receiving


def reporter(stack: Stack) -> Reporter:
    """As the service has it when both channels are named."""
    announcing = Announcing(
        completion=False, new_day=False, calendar=CALENDAR, now=stack.clock, alerts=Alerts(webhook=True, ping=True)
    )
    return Reporter(
        stack.pool, stack.redis, stack.expectations, now=stack.clock,
        announcer=Announcer(stack.pool, stack.redis, announcing),
    )  # fmt: skip


async def events(stack: Stack, *names: EventName) -> list[tuple[str, str]]:
    entries: Any = await stack.redis.xrange("maintenance:events")
    found = [decode_event(fields) for _, fields in entries]
    return [(one.event.value, one.detail or "") for one in found if one.event in names]


ABSENCE = (EventName.DEADLINE_MISSED, EventName.DEADLINE_MADE_GOOD)
OF_THE_LEDGER = "SELECT channel || ' ' || kind FROM alert_message ORDER BY message_id"


async def said(stack: Stack) -> list[str]:
    return [row[0] for row in await stack.pool.fetch(OF_THE_LEDGER)]


@pytest.mark.long(20)
async def test_a_night_is_missed_told_everywhere_and_made_good(
    stack: Stack, redis_url: str, receiver: Receiving, logged: list[dict[str, Any]]
) -> None:
    told = reporter(stack)
    stack.reports_by(told)
    assert (await stack.look_and_work()).state == "complete"
    assert (await said(stack)) == ["ping start", "ping success"]  # the window is whole, and its newest due time served

    next_day = CALENDAR.next_trading_day(DAY)
    stack.clock.at = new_york(next_day, "18:00")
    await told.judge()
    assert await events(stack, *ABSENCE) == []
    stack.clock.advance(seconds=1)
    await told.judge()
    await reporter(stack).judge()  # another process, or the same after a restart, says nothing twice
    assert (await said(stack))[2:] == ["webhook deadline_missed", "ping fail"]
    ((name, detail),) = await events(stack, *ABSENCE)
    assert name == "deadline_missed"
    assert "daily_bars" in detail
    assert detail.endswith("of Wed 12 Nov by 18:00 ET")
    (line,) = [line for line in logged if line["event"] == "deadline_missed"]
    assert (line["level"], line["runbook"]) == ("ERROR", "deadline-missed")

    overview = await Desk(monitor_of(stack), settings_of(redis_url)).read()
    status = overview.status
    missed = {one.data_set for one in status.deadlines_missed}
    assert {"daily_bars", "volume_slots", "atr"} <= missed
    assert {one.trading_day for one in status.deadlines_missed} == {next_day}
    published = decode_status(str(await stack.redis.get(f"maintenance:status:{next_day}")))
    assert published.deadlines_missed == [detail]
    assert published.data_sets["daily_bars"].deadline_missed
    assert "deadline missed daily_bars, volume_slots" in terminal._text(overview)
    assert exit_code(status) == ExitCode.FINDING
    page = msgspec.to_builtins(overview, builtin_types=(dt.datetime,))
    row = next(one for one in page["calendar"]["sessions"] if one["trading_day"] == str(next_day))
    assert row["late"] is True
    assert {cell["data_set"] for cell in row["cells"] if cell.get("late")} >= {"daily_bars", "volume_slots"}
    assert page["serving"].endswith("missed)")
    stored = json.loads(
        await stack.value("SELECT data_sets::text FROM session_condition WHERE trading_day = $1", next_day)
    )
    assert stored["daily_bars"]["deadline_missed"] is True
    assert await stack.value("SELECT count(*) FROM missed_deadline WHERE closed_at IS NULL") == len(missed)

    async with aiohttp.ClientSession() as http:
        await Sender(stack.pool, receivers(receiver.url, None, None), now=stack.clock).look(http)
    (message,) = [json.loads(one.body) for one in receiver.told]
    assert message["type"] == "deadline_missed"
    assert message["text"].startswith(":red_circle: deadline missed: ")
    assert {one["data_set"] for one in message["deadlines"]} == missed
    assert message["serving"]["service"] == "late"

    stack.clock.at = new_york(next_day, "19:00")
    assert (await stack.run_cycle(next_day)).state == "complete"
    assert (await said(stack))[4:] == ["webhook deadline_made_good", "ping success"]
    assert [name for name, _ in await events(stack, *ABSENCE)] == ["deadline_missed", "deadline_made_good"]
    assert (await monitor_of(stack).status()).deadlines_missed == []
    assert await stack.value("SELECT count(*) FROM missed_deadline WHERE closed_at IS NULL") == 0


async def test_what_no_channel_wants_is_not_kept_for_one(stack: Stack) -> None:
    stack.clock.at = new_york(DAY, "20:30")
    await stack.pool.execute(
        "INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, force, state, pass, "
        "opened_at, pass_started_at, finished_at, give_up_at) VALUES ($1, 'x', true, $2, 'x', '{}', false, 'failed', "
        "1, $2, $2, $2, $2)",
        DAY,
        stack.clock() - dt.timedelta(days=40),
    )
    await stack.reporter.judge()
    assert await stack.value("SELECT count(*) FROM missed_deadline") > 0
    assert await said(stack) == []


async def test_what_is_suspect_after_it_was_served_is_pinged_and_so_is_that_it_is_settled(stack: Stack) -> None:
    told = reporter(stack)
    stack.reports_by(told)
    assert (await stack.look_and_work()).state == "complete"
    await stack.pool.execute(
        "INSERT INTO session_finding (data_set, trading_day, kind, reason, load_id, found_at) "
        "VALUES ('daily_bars', $1, 'repeated_prices', 'those of the day before', 1, $2)",
        DAY,
        stack.clock(),
    )
    for _ in range(2):
        await told.judge()
    await stack.pool.execute("UPDATE session_finding SET state = 'cleared', settled_at = now()")
    for _ in range(2):
        stack.clock.advance(minutes=5)
        await told.judge()
    assert await said(stack) == ["ping start", "ping success", "ping fail", "ping success"]
