"""Notes who asked for what the stream brought, and why: once for each request, by whichever way it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import actions
from consumer.postgres.actions import Act, Action
from consumer.postgres.decisions import Decision
from contract.messages import TaskName

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.cycle_changes import Request
    from consumer.postgres.pool import Pool
    from contract.messages import TaskMessage

#: Whose requests are no person's: the service's own, and those of a replay, which is noted itself. They name no way
#: that they came by. HTTP, the page and the command line always do: a person there may sign with any of these names.
OWN = frozenset({"catch-up", "session_changed", "dead-letters replay"})


async def note_request(
    pool: Pool, message: TaskMessage, request: Request, *, cycle_id: int | None, now: dt.datetime
) -> None:
    """Write down that a person asked; *cycle_id*: the cycle that serves it, None while it waits its turn."""
    if message.rule is not None or (message.via is None and message.requested_by in OWN):
        return
    backfill = request.first_day is not None
    action = Action(
        act=Act.BACKFILL if backfill else Act.TRIGGER,
        about=_about(message, request) + (", also what stands" if message.force else ""),
        trading_day=request.trading_day,
        first_day=request.first_day,
        request=request.occasion.removeprefix("request:"),
        cycle_id=cycle_id,
    )
    decision = Decision(by=message.requested_by, at=now, reason=message.reason, via=message.via or "stream")
    await actions.note(pool, action, decision)


def _about(message: TaskMessage, request: Request) -> str:
    if message.task is not TaskName.CYCLE:
        return message.task.value
    return "a whole cycle" if request.first_day is None else "what these sessions lack"
