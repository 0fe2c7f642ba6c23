"""Notices that what this plan brings later than the schedule asks for has come: slots as files the next morning."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.delivery.entries import Outgoing
from consumer.postgres.cycles import asked_so_far
from consumer.verdict.states import LACKING
from contract import data_sets as sets
from contract.messages import TaskMessage, TaskName, encode

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool
    from consumer.verdict.reading import Judged

#: A file that is late is looked for again after this long.
AGAIN_AFTER = dt.timedelta(minutes=30)


async def request_for_late_data(pool: Pool, judged: Judged | None, *, now: dt.datetime) -> list[Outgoing]:
    """Return the message that has the newest session completed; none before its time, or just after the last one."""
    if judged is None or not judged.ruler.plan.slots_by_file_only:
        return []
    day = judged.ruler.front
    verdict = judged.verdicts.get(day)
    slots = None if verdict is None else verdict.of(sets.VOLUME_SLOTS)
    if slots is None or slots.state not in LACKING or now < slots.due_at:
        return []
    name = f"published-{day}-"
    tried = await asked_so_far(pool, name)
    if tried.last is not None and now < tried.last + AGAIN_AFTER:
        return []
    request = f"{name}{tried.times + 1}"
    message = TaskMessage(task=TaskName.CYCLE, trading_day=day, request=request, requested_by="catch-up")
    return [Outgoing(fields=encode(message), key=f"request:{request}")]
