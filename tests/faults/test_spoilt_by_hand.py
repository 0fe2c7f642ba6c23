"""Somebody writes into our Redis amid a cycle what stops streams, types and counters: the work goes on by itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from contract import keys
from producers.mending import look_for_trouble
from tests.cycle.stack import until

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place

SLOTS = "volume_slots/slots"
LAST = "18446744073709551615-18446744073709551615"
TASKS, SESSIONS, DEAD, EVENTS = (stream.name for stream in keys.STREAMS)
BINARY = b"\xff\xfe\x00\x80"

SPOILT: dict[str, list[tuple[str | bytes | int, ...]]] = {
    "the last id on every stream": [
        ("XADD", TASKS, LAST, "task", "cycle", "trading_day", "2025-11-11", "requested_by", "maria"),
        *(("XADD", name, LAST, "event", "odd") for name in (SESSIONS, DEAD, EVENTS)),
        ("SET", keys.FENCE.pattern, 2**63 - 1),
    ],
    "groups far ahead": [
        ("XGROUP", "SETID", TASKS, keys.GROUP, LAST),
        ("XGROUP", "SETID", SESSIONS, keys.GROUP, "253402300799000-0"),
        ("HSET", keys.QUEUED.pattern, "2025-11-11/CLOSED+15m", "garbage"),
    ],
    "another type under every name": [
        *(("SET", name, BINARY) for name in (TASKS, SESSIONS, DEAD, EVENTS)),
        *(("SET", key.pattern, BINARY) for key in (keys.LATER, keys.LATER_MESSAGES, keys.QUEUED, keys.CACHES)),
        ("DEL", keys.FENCE.pattern), ("LPUSH", keys.FENCE.pattern, "1"),
        ("DEL", keys.SOURCE.pattern), ("LPUSH", keys.SOURCE.pattern, "1"),
        *(("DEL", key.pattern) for key in (keys.LAST_RUN, keys.LAST_FINAL)),
        *(("LPUSH", key.pattern, "1") for key in (keys.LAST_RUN, keys.LAST_FINAL)),
    ],
    "bytes in every cache": [
        ("HSET", keys.CACHES.pattern, "cache:atr", BINARY, "cache:atr:fence", BINARY, BINARY, BINARY),
        ("HSET", keys.CACHES.pattern, "cache:universe:fence", 2**62),
        ("SADD", keys.CACHED.pattern.format(cache="cache:metadata"), BINARY),
        ("SADD", keys.TICKER_UNIVERSE.pattern, BINARY),
        ("HSET", keys.ATR_DAILY.pattern, "AAPL", BINARY),
        ("LPUSH", keys.RVOL_SESSIONS.pattern, BINARY),
        ("SET", keys.SOURCE.pattern, BINARY),
        ("SET", keys.LAST_RUN.pattern, "9999-12-31"), ("SET", keys.LAST_FINAL.pattern, BINARY),
        ("SET", keys.status_key(dt.date(2025, 11, 11)), BINARY),
    ],
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
async def test_what_somebody_spoils_amid_a_cycle_is_mended_and_the_work_ends_as_if_nothing_had_been(
    how: str, undisturbed: Fingerprint, place: Place, consumer: Starts
) -> None:
    async with consumer(every_s=0.5, mends_every_s=0.2):
        await place.in_the_middle_of(SLOTS)
        for command in SPOILT[how]:
            await place.redis.execute_command(*command)
        await place.complete()
        await place.at_rest()

        async def told_right() -> bool:
            shown: Any = await place.redis.mget(keys.LAST_RUN.pattern, keys.LAST_FINAL.pattern)
            return shown == ["2025-11-11", "2025-11-11"]

        await until(told_right, what="the newest whole day under its name")
        assert await look_for_trouble(place.redis) == []
    assert await place.fingerprint() == undisturbed
