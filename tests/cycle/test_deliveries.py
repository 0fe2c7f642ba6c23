"""How the product's own worker takes messages: read once, left to a newer worker, told when taken over."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.cycle import messages
from consumer.maintenance_channel import task_stream
from contract import keys
from contract.messages import TaskMessage, TaskName, decode_task
from contract.reports import EventName, decode_event
from tests.cycle.stack import DAY, until
from tests.delivery.consumers import let_lease_run_out, read_one

if TYPE_CHECKING:
    import pytest

    from contract.reports import MaintenanceEvent
    from tests.cycle.stack import Stack


async def told(stack: Stack) -> list[MaintenanceEvent]:
    """The events of work that was taken over."""
    events = [decode_event(fields) for _, fields in await stack.redis.xrange(keys.EVENTS.name)]
    return [one for one in events if one.event is EventName.RECLAIMED]


async def test_a_delivery_taken_over_from_a_consumer_that_is_gone_is_told_once_and_others_are_not(
    stack: Stack,
) -> None:
    dead = task_stream(stack.redis, stack.redis, consumer="dead", lease=dt.timedelta(seconds=10))
    await dead.ensure_group()
    entry_id = await stack.ask(task=TaskName.OHLC_DAILY)
    await read_one(dead)
    await let_lease_run_out(stack.redis, entry_id)
    async with stack.working():

        async def settled() -> bool:
            return not await stack.redis.xrange(keys.TASKS.name, entry_id, entry_id)

        await until(settled)
    (event,) = await told(stack)
    assert (event.task, event.trading_day, event.cycle) == ("ohlc_daily", DAY, None)
    assert event.detail == f"entry {entry_id} from dead, delivery 2"


async def test_a_task_message_is_decoded_once_on_its_way(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def counting(fields: dict[str, str], **known: int) -> TaskMessage:
        decoded.append(f"{fields['task']}/{fields.get('part')}")
        return decode_task(fields, **known)

    monkeypatch.setattr(messages, "decode_task", counting)
    await stack.run_cycle(task=TaskName.OHLC_DAILY)
    assert len(decoded) > 5, "the parts of a cycle"
    assert len(decoded) == len(set(decoded))


async def test_a_message_of_a_newer_version_is_parked_by_the_service_as_it_is(stack: Stack) -> None:
    newer = {"task": "order_books", "trading_day": "2025-11-11", "version": "2"}
    await stack.redis.xadd(keys.TASKS.name, dict(newer))
    async with stack.working():

        async def parked() -> bool:
            return bool(await stack.redis.zcard(keys.LATER.pattern)) and not await stack.redis.xlen(keys.TASKS.name)

        await until(parked)
    (text,) = await stack.redis.hvals(keys.LATER_MESSAGES.pattern)
    assert text == '["task","order_books","trading_day","2025-11-11","version","2"]'
    assert await stack.redis.xlen(keys.DEAD.name) == 0
