"""Twenty consumers without a leader, and one that comes back after days: one cycle, and exactly what is missing."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from producers import keys
from producers.messages import SessionChanged, encode
from tests.cycle.stack import CALENDAR, DAY, new_york, until

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, TickingClock

REPLICAS = 20
THREE_SESSIONS_LATER = dt.date(2025, 11, 14)


async def test_twenty_consumers_that_start_together_make_one_cycle_and_ask_for_nothing_twice(
    undisturbed: Fingerprint, place: Place, consumer: Starts
) -> None:
    close = CALENDAR.session(DAY).closes_at
    event = SessionChanged(
        from_session="MARKET_OPEN", to_session="POST_MARKET", trading_date=DAY, timestamp=close,  # type: ignore[arg-type]
        regular_close=close, early_close=False, source="test",
    )  # fmt: skip
    for _ in range(REPLICAS):  # as if twenty producers had published it
        await place.redis.xadd(keys.SESSIONS.name, dict(encode(event)))  # type: ignore[arg-type]
    async with contextlib.AsyncExitStack() as replicas:
        for _ in range(REPLICAS):
            await replicas.enter_async_context(consumer(MAINTENANCE_PARTS_AT_ONCE="2"))
        await place.complete()
        await place.at_rest()

    rows = await place.db.fetch("SELECT trading_day, occasion, state FROM cycle")
    assert [tuple(row) for row in rows] == [(DAY, "CLOSED+15m", "complete")]
    assert await place.asked_twice() == set()
    assert await place.fingerprint() == undisturbed
    assert await place.value("SELECT count(*) FROM part WHERE attempt > 1") == 0

    async def gone() -> bool:
        return not await place.redis.xinfo_consumers(keys.TASKS.name, keys.GROUP)

    await until(gone, what="a group without consumers")


async def test_down_over_three_closes_it_comes_back_to_exactly_the_missing_sessions(
    place: Place, consumer: Starts, clock: TickingClock
) -> None:
    async with consumer():
        await place.complete()
        await place.at_rest()
    await place.market.reset()
    clock.at = new_york(THREE_SESSIONS_LATER, "20:30")

    async with consumer():
        await place.complete(cycles=2)
        await place.at_rest()

    rows = await place.db.fetch("SELECT trading_day, occasion, state FROM cycle ORDER BY cycle_id")
    assert [tuple(row) for row in rows] == [
        (DAY, "CLOSED+15m", "complete"), (THREE_SESSIONS_LATER, "CLOSED+15m", "complete"),
    ]  # fmt: skip
    missing = ["2025-11-12", "2025-11-13", "2025-11-14"]
    paths = await place.market.paths()
    assert sorted(path[-10:] for path in (p.partition("?")[0] for p in paths) if "/grouped/" in path) == missing
    ranges = [path for path in paths if "/range/" in path]
    assert ranges
    assert all("/2025-11-12/2025-11-14" in path for path in ranges), "one request a symbol brings all three sessions"
    assert await place.asked_twice() == set()
