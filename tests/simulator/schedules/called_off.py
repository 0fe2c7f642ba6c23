"""Schedules after which parts of a cycle that was called off, or set aside, were not what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.cycle.messages import pass_message
from consumer.postgres import cycles
from tests.simulator.directed import NeverReached
from tests.simulator.redis_state import Violation
from tests.simulator.virtual_worker import DAY

if TYPE_CHECKING:
    from tests.simulator.directed import Director
    from tests.simulator.virtual_worker import VirtualWorker

ELEVEN_MINUTES = 660.0


async def closing_is_refused_a_lock(direct: Director) -> None:
    """Seeds 100481 and 100320. A frozen transaction holds a part's row; then nobody looks for eleven minutes."""
    await direct.send_rule()
    writer = await direct.worker()
    await direct.through(writer, "fenced_write SELECT", of="rows:0")
    await direct.freeze(writer)
    await _cancel_until_closing_waits(direct)
    await direct.stage.advance(ELEVEN_MINUTES)
    await direct.to_the_end()


async def _cancel_until_closing_waits(direct: Director) -> None:
    await direct.befall("cancel_day")
    closing = await direct.let(direct.stage.operator, "close_parts UPDATE")
    await direct.waits_for_a_lock(closing)
    await direct.stage.time_out(closing)


async def whoever_set_a_backfill_aside_freezes_before_closing(direct: Director) -> None:
    """It wakes when the backfill is at its next pass: those parts are none of its business."""
    opener, other = await _suspend_a_backfill(direct)
    await direct.let(opener, "close_parts UPDATE")
    await direct.freeze(opener)
    await _begin_the_next_pass(direct, other)
    await direct.stage.wake(opener)
    await direct.through(opener, "close_parts UPDATE")
    await direct.to_the_end()


async def whoever_set_a_backfill_aside_freezes_before_withdrawing(direct: Director) -> None:
    """Messages are named after the part, not the pass: it takes back one of the next pass, and has it sent again."""
    opener, other = await _suspend_a_backfill(direct)
    await direct.let(opener, "withdraw", of="rows:1")
    await direct.freeze(opener)
    await _begin_the_next_pass(direct, other)
    await direct.stage.wake(opener)
    await direct.through(opener, "withdraw", of="rows:1")
    await direct.to_the_end()


async def _suspend_a_backfill(direct: Director) -> tuple[VirtualWorker, VirtualWorker]:
    """Two workers: the first is about to stop the parts of the backfill that it has set aside for the day's cycle."""
    await direct.ask(task="ohlc_daily", first_day="2025-11-03", trading_day="2025-11-10")
    other = await direct.worker()
    await direct.through(other, "take_part UPDATE", of="rows:1")
    await direct.send_rule()
    opener = await direct.worker()
    await direct.through(opener, "open_cycle COMMIT")
    return opener, other


async def _begin_the_next_pass(direct: Director, worker: VirtualWorker) -> None:
    """The day's own cycle comes to its end, and the backfill goes on with what it lacks."""
    await direct.through(worker, "settle", of='"2/cycle/finish","ack"')
    backfill = await cycles.find_cycle(direct.stage.monitor, 1)
    if backfill is None or backfill.state != "waiting":
        raise NeverReached(f"the backfill does not wait: {backfill}")
    await direct.send(pass_message(backfill))
    await direct.through(worker, "fenced_write SELECT", of="1, ohlc_daily, rows:1")


async def a_message_of_the_last_pass_stands_when_the_next_begins(direct: Director) -> None:
    """Seed 300265. The next pass's own message is not sent, as one of that name is there, and that one goes."""
    await direct.send_rule()
    slow = await direct.worker()
    await direct.through(slow, "settle", of='"1/cycle/finish","ack"')
    await direct.write_again("1/cycle/plan")
    late = await direct.let(slow, "settle", of='"1/cycle/plan","ack"')
    direct.hold(late)
    waiting = await cycles.find_cycle(direct.stage.monitor, 1)
    assert waiting is not None
    await direct.send(pass_message(waiting))
    other = await direct.worker()
    await direct.through(other, "settle", of='"1/pass","ack"')
    await direct.do(late)
    if any(direct.stage.watch.state.key_of(one) == "1/cycle/plan" for one in direct.stage.watch.state.entries):
        raise NeverReached("a message of the next pass was sent all the same")
    await direct.to_the_end()


async def the_next_pass_sets_a_backfill_aside(direct: Director) -> None:
    """Whoever works for the backfill has to find its entry gone at the next beat, not at the commit hours later."""
    await direct.send_rule()
    worker = await direct.worker()
    await direct.through(worker, "settle", of='"1/cycle/finish","ack"')
    await direct.ask(task="ohlc_daily", first_day="2025-11-03", trading_day="2025-11-10")
    await direct.let(worker, "vendor", of="rows:1")
    waiting = await cycles.find_cycle(direct.stage.monitor, 1)
    assert waiting is not None
    await direct.send(pass_message(waiting))
    other = await direct.worker()
    await direct.through(other, "settle", of='"1/pass","ack"')
    held = [entry_id for entry_id in worker.keeper.held if entry_id in direct.stage.watch.state.entries]
    if held:
        raise Violation(f"{worker.name} still holds {direct.stage.watch.state.key_of(held[0])}, which was set aside")
    await direct.stage.beat(worker)
    backfill = await cycles.find_cycle(direct.stage.monitor, 2)
    if backfill is None or backfill.state != "waiting":
        raise NeverReached(f"the backfill does not wait: {backfill}")
    await direct.through(other, "settle", of='"1/cycle/finish","ack"')
    await direct.send(pass_message(backfill))
    await direct.to_the_end()


async def a_pass_is_acknowledged_when_the_next_has_begun(direct: Director) -> None:
    """Seed 100229. The simulator's fault: the last pass's message leaves while the next one's part is blocked."""
    await direct.send_rule()
    slow = await direct.worker()
    direct.hold(await direct.let(slow, "settle", of='"1/cycle/finish","ack"'))
    waiting = await cycles.find_cycle(direct.stage.monitor, 1)
    if waiting is None or waiting.state != "waiting":
        raise NeverReached(f"the cycle of {DAY} does not wait: {waiting}")
    await direct.send(pass_message(waiting))
    other = await direct.worker()
    await direct.through(other, "settle", of='"1/cycle/plan","ack"')
    for step in slow.steps:
        step.not_before = 0
    await direct.through(slow, "settle", of='"1/cycle/finish","ack"')
    await direct.to_the_end()
