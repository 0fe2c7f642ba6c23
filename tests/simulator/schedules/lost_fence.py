"""Schedules in which Redis lost its fence counter: whoever is told of a newer token lifts it, and the work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.directed import NeverReached

if TYPE_CHECKING:
    from tests.simulator.directed import Director
    from tests.simulator.virtual_worker import VirtualWorker

ASKED = "_why_not_taken SELECT"
PART = "1/ohlc_daily/rows:0"


async def a_duplicate_is_dropped_before_the_lift(direct: Director) -> None:
    """Seeds 90034, 200142 and 100423. The first entry's holder knows already, and the second one leaves the stream."""
    first, second = await _lose_the_counter(direct)
    await direct.through(first, ASKED, of="rows:0")
    await direct.write_again(PART)
    await direct.through(second, "begin", of=PART)
    _still_behind(direct)
    await direct.to_the_end()


async def the_cycle_is_cancelled_before_its_parts_are_closed(direct: Director) -> None:
    """Seeds 90125, 90173 and 100562. What is told then is that the work is off: nothing needs a newer token."""
    first, _ = await _lose_the_counter(direct)
    await direct.befall("cancel_day")
    direct.hold(await direct.let(direct.stage.operator, "close_parts UPDATE"))
    await direct.through(first, "settle", of=PART)
    _still_behind(direct)
    for step in direct.stage.operator.steps:
        step.not_before = 0
    await direct.to_the_end()


async def the_answer_is_lost(direct: Director) -> None:
    """Seed 200386. Whoever asked is told nothing, and tries again: the next delivery lifts the counter."""
    first, _ = await _lose_the_counter(direct)
    await direct.stage.lose(await direct.let(first, ASKED, of="rows:0"), performed=True)
    await direct.through(first, "settle", of=PART)
    _still_behind(direct)
    await direct.to_the_end()


async def it_is_lifted_by_whoever_is_told(direct: Director) -> None:
    """What has to happen where nothing comes between."""
    first, _ = await _lose_the_counter(direct)
    await direct.through(first, "settle", of=PART)
    if direct.stage.watch.state.fence < (seen := await _seen(direct)):
        raise NeverReached(f"the counter is behind {seen}, and the simulator has not noticed")
    await direct.to_the_end()


async def _lose_the_counter(direct: Director) -> tuple[VirtualWorker, VirtualWorker]:
    """A part was under way under a token that Redis does not remember; its message comes again, and is begun."""
    await direct.send_rule()
    owner = await direct.worker()
    await direct.through(owner, "take_part UPDATE", of="rows:0")
    await direct.crash(owner)
    await direct.befall("flush")
    await direct.write_again(PART)
    first, second = await direct.worker(), await direct.worker()
    await direct.through(first, "begin", of=PART)
    await direct.through(first, "begin", of=PART)  # the scripts are gone as well: it is sent with its text
    return first, second


def _still_behind(direct: Director) -> None:
    if direct.stage.watch.state.fence >= 3:
        raise NeverReached(f"the counter stands at {direct.stage.watch.state.fence}: nothing was left to be lifted")


async def _seen(direct: Director) -> int:
    newest: int = await direct.stage.monitor.fetchval("SELECT max(fence) FROM part")
    return newest
