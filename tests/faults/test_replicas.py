"""Twenty consumers without a leader make one cycle."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from producers import keys
from producers.messages import SessionChanged, encode
from tests.cycle.stack import CALENDAR, DAY, until

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place

REPLICAS = 20


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
