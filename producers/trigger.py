"""Asks for maintenance: the XADD that a person, cron, the command line or HTTP makes.

Asking twice is harmless (a cycle plans only what is missing), so nothing here remembers or deduplicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.keys import TASKS
from contract.messages import TaskMessage, TaskName, encode

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis
    from redis.typing import EncodableT, FieldT


async def request_cycle(
    redis: Redis,
    *,
    trading_day: dt.date | None = None,
    task: TaskName = TaskName.CYCLE,
    force: bool = False,
    requested_by: str,
) -> str:
    """The id of the stream entry that asks for *task*; without a day, for the last completed one."""
    return await request(redis, TaskMessage(task=task, trading_day=trading_day, force=force, requested_by=requested_by))


async def request(redis: Redis, message: TaskMessage) -> str:
    """The same for whatever *message* asks for."""
    fields: dict[FieldT, EncodableT] = dict(encode(message).items())
    entry_id = await redis.xadd(TASKS.name, fields)
    return str(entry_id)
