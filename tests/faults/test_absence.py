"""Nobody for days: what is missing comes with one cycle, and nothing older is opened."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from tests.cycle.stack import new_york

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Place, TickingClock


async def test_after_days_of_absence_one_cycle_brings_the_missing_sessions_and_nothing_older_is_opened(
    place: Place, consumer: Starts, clock: TickingClock
) -> None:
    async with consumer():
        await place.complete()
        await place.at_rest()
    await place.market.reset()
    back = dt.date(2025, 11, 14)  # three closes later
    clock.at = new_york(back, "20:30")

    async with consumer():
        await place.complete(cycles=2)
        await place.at_rest()

    rows = await place.db.fetch("SELECT trading_day, occasion FROM cycle ORDER BY cycle_id")
    assert [tuple(row) for row in rows] == [(dt.date(2025, 11, 11), "CLOSED+15m"), (back, "CLOSED+15m")]
    days = {path.partition("/stocks/")[2][:10] for path in await place.market.paths() if "/grouped/" in path}
    assert days == {"2025-11-11", "2025-11-12", "2025-11-13", "2025-11-14"}, "the missing, and the one before once more"
    assert await place.asked_twice() == set()
