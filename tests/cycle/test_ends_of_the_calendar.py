"""The calendar's last day is maintained on its own evening, and a clock outside the calendar ends nobody."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from consumer.checks.finding import Level
from consumer.checks.surroundings import check_calendar
from consumer.web.monitor import Monitor, next_due, next_words
from contract.messages import SessionChanged
from market.trading_calendar import CalendarError
from tests.cycle.stack import CALENDAR, SCHEDULE, Stack, new_york

LAST = CALENDAR.LAST_DAY
IN_1970 = dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC)
IN_2031 = dt.datetime(2031, 3, 4, 22, 30, tzinfo=dt.UTC)
OUTSIDE = pytest.mark.parametrize("now", [IN_1970, IN_2031, new_york(dt.date(2031, 1, 1), "00:00")])


async def test_the_calendars_last_day_is_maintained_on_its_own_evening(stack: Stack) -> None:
    stack.clock.at = new_york(LAST, "17:00")
    assert (await stack.look_and_work()).state == "complete"
    stack.clock.at = new_york(LAST, "20:30")
    cycle = await stack.look_and_work()
    assert (cycle.trading_day, cycle.state, (await stack.verdict(LAST)).state) == (LAST, "complete", "final")
    monitor = Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)
    status = await monitor.status()
    assert (status.last_final, status.next_due["at"]) == (LAST, None)
    assert "install a newer release" in next_words(status.next_due)


@OUTSIDE
async def test_a_clock_outside_the_calendar_is_told_once_and_work_goes_on_when_it_is_right_again(
    stack: Stack, now: dt.datetime, logged: list[dict[str, Any]]
) -> None:
    right, stack.clock.at = stack.clock.at, now
    looking = asyncio.create_task(stack.catch_up.run())
    try:
        assert [await stack.catch_up.look() for _ in range(3)] == [0, 0, 0]
        assert not looking.done()
    finally:
        looking.cancel()
    told = [line for line in logged if "trading_calendar_ends" in line.values()]
    assert len(told) == 1
    assert "set this machine's clock" in str(told[0])
    stack.clock.at = right
    assert (await stack.look_and_work()).state == "complete"


@OUTSIDE
def test_doctor_and_status_name_the_cure_of_a_clock_outside_the_calendar(now: dt.datetime) -> None:
    finding = check_calendar(now.date())
    assert (finding.level, "set this machine's clock" in finding.cure) == (Level.REFUSED, True)
    assert "set this machine's clock" in next_words(next_due(SCHEDULE, CALENDAR, now))


@OUTSIDE
async def test_an_event_that_comes_while_the_clock_is_wrong_makes_nothing_due(stack: Stack, now: dt.datetime) -> None:
    close = CALENDAR.session(LAST).closes_at
    event: dict[str, Any] = {
        "from_session": "MARKET_OPEN", "to_session": "POST_MARKET", "trading_date": LAST, "timestamp": close,
        "regular_close": close, "early_close": False, "source": "test",
    }  # fmt: skip
    assert stack.events.due_messages(SessionChanged(**event), now=now) == []


def test_after_the_last_day_only_deadlines_have_a_session() -> None:
    supposed = CALENDAR.session_after(LAST)
    assert supposed.opens_at == new_york(dt.date(2031, 1, 1), "09:30")
    assert CALENDAR.session_after(dt.date(2031, 1, 3)).day == dt.date(2031, 1, 6)
    assert CALENDAR.session_after(dt.date(2025, 11, 26)) == CALENDAR.session(dt.date(2025, 11, 28))
    assert SCHEDULE.give_up_at(LAST, new_york(LAST, "17:00")) == supposed.opens_at
    with pytest.raises(CalendarError, match="newer release"):
        CALENDAR.next_trading_day(LAST)
