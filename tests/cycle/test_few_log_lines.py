"""What a cycle and a night say in the log does not grow with the market, and a person reads it in a minute."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from contract import keys
from contract.messages import SessionChanged, encode
from tests.cycle.stack import CALENDAR, DAY, Stack, new_york, until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

#: What an operator is to read of a whole night at INFO, of all that one consumer says.
A_NIGHT = 20


@contextlib.contextmanager
def lines_said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, level="INFO", format="{message} {extra}")
    try:
        yield lines
    finally:
        logger.remove(sink)


async def test_a_cycle_logs_a_handful_of_lines_whatever_the_number_of_tickers(stack: Stack) -> None:
    with lines_said() as lines:
        assert (await stack.run_cycle()).state == "complete"
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert 1 <= len(lines) <= 10 < listed, "\n".join(lines)


async def publish(stack: Stack, before: str, after: str, at: dt.datetime) -> None:
    change = SessionChanged(
        from_session=before, to_session=after, trading_date=DAY, timestamp=at,  # type: ignore[arg-type]
        regular_close=CALENDAR.session(DAY).closes_at, early_close=False, source="test",
    )  # fmt: skip
    fields: dict[Any, Any] = {**encode(change)}
    await stack.redis.xadd(keys.SESSIONS.name, fields)


@pytest.mark.long(30)
async def test_a_whole_night_is_told_in_about_twenty_lines(stack: Stack) -> None:
    """Both due times by their events, and a look each half hour from the close to the next open."""
    stack.clock.at = new_york(CALENDAR.previous_trading_day(DAY), "20:20")
    assert (await stack.look_and_work()).state == "complete"
    transitions = {
        new_york(DAY, "16:00"): ("MARKET_OPEN", "POST_MARKET"),
        new_york(DAY, "20:00"): ("POST_MARKET", "CLOSED"),
    }
    stack.clock.at, end = new_york(DAY, "16:00"), new_york(CALENDAR.next_trading_day(DAY), "09:00")
    with lines_said() as lines:
        async with stack.working(), stack.listening():
            while stack.clock.at <= end:
                if (change := transitions.get(stack.clock.at)) is not None:
                    await publish(stack, *change, stack.clock.at)
                await stack.catch_up.look()
                await until(stack.at_ease, what="work that is done")
                stack.clock.advance(minutes=30)
    said = Counter(line.split()[0] for line in lines)
    assert said["maintenance_cycle_finished"] == 2, said
    assert len(lines) <= A_NIGHT, said
