"""Takes the cures out again, one at a time: each is what the product did when its schedule failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.cycle import calling_off, next_pass, opening
from consumer.cycle.failures import FailureRecorder
from consumer.cycle.runner import CycleRunner
from consumer.postgres import cycles, part_ends
from consumer.postgres.ledger import PartId
from consumer.postgres.states import PartState
from tests.simulator.mutants import MUTANTS, Mutant, function

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.part_ends import Closing

_open_cycle = opening.open_cycle
_begin_next_pass = next_pass.begin_next_pass


async def _join_and_send_nothing(pool: Any, request: Any, *, now: dt.datetime) -> Any:
    opened = await _open_cycle(pool, request, now=now)
    return msgspec.structs.replace(opened, parts=()) if opened.served is opening.Served.JOINED else opened


async def _begin_and_forget_whom_it_suspends(pool: Any, cycle_id: int, *, now: dt.datetime) -> Any:
    return msgspec.structs.replace(await _begin_next_pass(pool, cycle_id, now=now), suspended=())


async def _send_nothing(self: FailureRecorder) -> list[Any]:
    return []


async def _forget_after_ten_minutes(pool: Any, stream: Any, *, now: dt.datetime) -> None:
    for cycle in await cycles.left_open(pool, now=now):
        if cycle.finished_at is not None and cycle.finished_at > now - cycles.WITHDRAWN_WITHIN:
            await calling_off.close(pool, [cycle], PartState(cycle.state), now=now)


async def close_parts(pool: Any, ended: Any, closing: Closing) -> Any:
    """Of the same name: schedules name the step after it."""
    rows = await pool.fetch(
        "UPDATE part SET state = $3, ended_at = $2 WHERE cycle_id = ANY ($1) "
        "AND state IN ('blocked', 'ready', 'running', 'retrying') RETURNING cycle_id, task, part",
        [cycle.cycle_id for cycle in ended], closing.at, closing.state,
    )  # fmt: skip
    return [PartId(**dict(row)) for row in rows]


async def _withdraw_and_send_nothing(self: CycleRunner, suspended: Any) -> None:
    for cycle in suspended:
        closed = await calling_off.close(self._services.pool, [cycle], PartState.SUPERSEDED, now=self._services.now())
        await calling_off.withdraw(self._stream, calling_off.CalledOff(parts=closed.parts))


CURES = {
    "a joiner sends what is ready": Mutant(
        broken="who joins a cycle sends nothing of it", breaks=function(opening, "open_cycle", _join_and_send_nothing)
    ),
    "a waiting request sends what is ready": Mutant(
        broken="a request that waits, or is given up, sends nothing of the cycle that runs",
        breaks=function(FailureRecorder, "_of_the_running_cycle", _send_nothing),
    ),
    "no open part outlives its cycle": Mutant(
        broken="after ten minutes nobody closes the parts of a cycle that was called off",
        breaks=function(calling_off, "finish_calling_off", _forget_after_ten_minutes),
    ),
    "only the pass that was set aside is closed": Mutant(
        broken="parts are closed whatever their pass", breaks=function(part_ends, "close_parts", close_parts)
    ),
    "a next pass stops what it sets aside": Mutant(
        broken="a next pass leaves at work whom it has set aside",
        breaks=function(next_pass, "begin_next_pass", _begin_and_forget_whom_it_suspends),
    ),
    "what was withdrawn of a newer pass is sent again": Mutant(
        broken="what was withdrawn of a newer pass is not sent again",
        breaks=function(CycleRunner, "_set_aside", _withdraw_and_send_nothing),
    ),
    "a lost counter is lifted": MUTANTS["fence-not-raised"],
}
