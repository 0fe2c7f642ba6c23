"""An event on the session stream is the fast path of what calendar and ledger say, and has no say of its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from consumer.cycle.session_events import EventRefused, SessionEvents
from consumer.cycle.stores import Stores
from contract import keys
from contract.messages import SessionChanged, encode
from tests.cycle.stack import AT_FIVE, CALENDAR, DAY, SCHEDULE, Stack, until

RULE_KEY = f"{DAY}/POST_MARKET+1h"
CLOSE = CALENDAR.session(DAY).closes_at
FIELDS = {
    "from_session": "MARKET_OPEN", "to_session": "POST_MARKET", "trading_date": DAY, "timestamp": CLOSE,
    "regular_close": CLOSE, "early_close": False, "source": "test",
}  # fmt: skip


def event(**changed: Any) -> SessionChanged:
    return SessionChanged(**{**FIELDS, **changed})


async def publish(stack: Stack, **changed: Any) -> None:
    fields: dict[Any, Any] = {**encode(event(**changed))}
    await stack.redis.xadd(keys.SESSIONS.name, fields)


def pure() -> SessionEvents:
    """Only for its decisions: it has no server."""
    nothing: Any = None
    return SessionEvents(Stores(pool=nothing, redis=nothing, stream=nothing), SCHEDULE, now=lambda: CLOSE)


@pytest.mark.parametrize("late", [dt.timedelta(minutes=1), dt.timedelta(hours=3), dt.timedelta(hours=23, minutes=59),
                                  dt.timedelta(minutes=-1), dt.timedelta(hours=-6)])  # fmt: skip
@pytest.mark.parametrize("phase", ["POST_MARKET", "CLOSED"])
def test_an_event_with_another_instant_than_the_calendars_is_refused_with_both(late: dt.timedelta, phase: str) -> None:
    at = CLOSE if phase == "POST_MARKET" else CALENDAR.session(DAY).extended_closes_at
    with pytest.raises(EventRefused, match=f"is not {at.isoformat()[:16]}.*TRADING_CALENDAR_OVERRIDES"):
        pure().due_messages(event(to_session=phase, timestamp=at + late), now=CLOSE)


@pytest.mark.parametrize("late_s", [-59, 0, 7, 59.9])
def test_an_event_makes_its_cycle_due_when_the_calendar_does_whatever_its_seconds(late_s: float) -> None:
    seconds = dt.timedelta(seconds=late_s)
    [message] = pure().due_messages(event(timestamp=CLOSE + seconds), now=CLOSE)
    assert (message.key, message.due_at) == (RULE_KEY, AT_FIVE)


async def test_an_event_that_comes_a_day_late_neither_parks_nor_delays_the_days_cycle(stack: Stack) -> None:
    stack.clock.at = AT_FIVE
    await publish(stack, timestamp=CLOSE + dt.timedelta(hours=23))
    async with stack.listening():

        async def refused() -> bool:
            return bool(await stack.redis.xlen(keys.DEAD.name))

        await until(refused, what="its refusal")
    assert await stack.redis.zrange(keys.LATER.pattern, 0, -1) == []
    assert (await stack.look_and_work()).state == "complete"


@pytest.mark.parametrize("ahead", [dt.timedelta(hours=2), dt.timedelta(days=1), dt.timedelta(days=36_500)])
async def test_a_due_cycle_that_somebody_parked_for_later_is_brought_forward_as_it_was(
    stack: Stack, ahead: dt.timedelta
) -> None:
    stack.clock.at = AT_FIVE
    [message] = stack.events.due_messages(event(), now=CLOSE)
    seconds, _ = await stack.redis.time()
    await stack.stream.enqueue([message])  # in the past by Redis's clock: in the stream
    await stack.stream.withdraw([RULE_KEY])
    parked = {**message.fields, "attempt": "2"}
    far = dt.datetime.fromtimestamp(int(seconds), dt.UTC) + ahead
    await stack.stream.enqueue([type(message)(fields=parked, key=RULE_KEY, due_at=far)])
    assert await stack.redis.zcard(keys.LATER.pattern) == 1

    assert await stack.catch_up.look() == 1
    assert await stack.stream.promote() == 1
    [(_, fields)] = await stack.redis.xrange(keys.TASKS.name)
    assert fields["attempt"] == "2"


async def test_a_retry_that_waits_for_its_turn_is_not_hastened(stack: Stack) -> None:
    stack.clock.at = AT_FIVE
    [message] = stack.events.due_messages(event(), now=CLOSE)
    seconds, _ = await stack.redis.time()
    soon = dt.datetime.fromtimestamp(int(seconds), dt.UTC) + dt.timedelta(seconds=30)
    await stack.stream.enqueue([type(message)(fields=message.fields, key=RULE_KEY, due_at=soon)])
    assert await stack.catch_up.look() == 0
    assert await stack.stream.promote() == 0
