"""Redis loses what it held in the middle of a cycle: all of it, a group, a stream, a counter, a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, Watch

SLOTS = "volume_slots/slots"
CACHES = "redis_sync/cache"

LOSSES = {
    "everything": ("FLUSHALL",),
    "the group": ("XGROUP", "DESTROY", "maintenance:tasks", "maintenance"),
    "the session group": ("XGROUP", "DESTROY", "market:session", "maintenance"),
    "the stream": ("DEL", "maintenance:tasks"),
    "the entries": ("XTRIM", "maintenance:tasks", "MAXLEN", "0"),
    "the fence counter": ("DEL", "maintenance:fence"),
    "the identities": ("DEL", "maintenance:queued"),
    "the scripts": ("SCRIPT", "FLUSH"),
}


@pytest.mark.parametrize("lost", LOSSES)
async def test_what_redis_loses_amid_a_cycle_is_made_good(
    lost: str, undisturbed: Fingerprint, place: Place, consumer: Starts, watch: Watch
) -> None:
    async with consumer():
        in_flight = await place.in_the_middle_of(SLOTS)
        await place.redis.execute_command(*LOSSES[lost])
        async with watch.calm(log_lines=40):
            await place.complete()
        await place.at_rest()

    assert await place.fingerprint() == undisturbed
    assert await place.asked_twice() <= in_flight
    assert await place.dead() == []
    assert await place.redis.xpending("maintenance:tasks", "maintenance") == {
        "pending": 0, "min": None, "max": None, "consumers": []
    }  # fmt: skip
