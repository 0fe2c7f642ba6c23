"""Schedules at whose end nothing led to open work: whoever opened a cycle died before it sent the first part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.virtual_worker import SETTINGS

if TYPE_CHECKING:
    from tests.simulator.directed import Director


async def its_request_is_taken_out_and_appended_again(direct: Director) -> None:
    """Seed 100103. The copy is another request: it joins the cycle, and its acknowledgement is the last message."""
    opener = await direct.worker()
    await direct.ask(task="ohlc_daily")
    await direct.through(opener, "open_cycle COMMIT")
    await direct.crash(opener)
    await direct.befall("move_by_hand")
    await direct.worker()
    await direct.to_the_end()


async def its_request_is_given_up_while_another_waits(direct: Director) -> None:
    """Seed 100424. The other request looks every three seconds whether the running cycle has ended, for ever."""
    await direct.send_rule()
    opener = await direct.worker()
    await direct.through(opener, "open_cycle COMMIT")
    await direct.crash(opener)
    for _ in range(SETTINGS.max_deliveries - 1):
        unlucky = await direct.worker()
        await direct.through(unlucky, "open_cycle COMMIT")
        await direct.crash(unlucky)
    await direct.ask(task="volume_slots", trading_day="2025-11-10")
    last = await direct.worker()
    await direct.through(last, "settle", of="dead")
    await direct.to_the_end()


async def another_request_waits_for_it(direct: Director) -> None:
    """The neighbour: the opener's request is given up by one who dies over it, so only the waiting request is left."""
    await direct.ask(task="ohlc_daily")
    opener = await direct.worker()
    await direct.through(opener, "open_cycle COMMIT")
    await direct.crash(opener)
    await direct.befall("delete_by_hand")
    await direct.ask(task="volume_slots", trading_day="2025-11-10")
    await direct.worker()
    await direct.to_the_end()
