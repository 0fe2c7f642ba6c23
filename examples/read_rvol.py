"""Reads what is usual of a symbol's volume by a time of day, and says how today's compares to it.

    python examples/read_rvol.py REDIS_URL SYMBOL HH:MM [VOLUME]

The mean accumulated volume from 04:00 New York to the end of the slot that HH:MM lies in, over the last five sessions;
with VOLUME, of today until then, the relative volume. Exits 3 where no session has observed it: that is unknown, and
not 0. Needs the package redis, nothing of ours.
"""

from __future__ import annotations

import sys
from typing import Any

import redis

SLOTS_PER_DAY, SLOT_MINUTES, FIRST_MINUTE = 192, 5, 4 * 60


def slot_of(time: str) -> int:
    """The slot of five minutes that a New York time lies in, 0 from 04:00 on; ValueError outside of 04:00 to 20:00."""
    hours, minutes = map(int, time.split(":"))
    slot = (hours * 60 + minutes - FIRST_MINUTE) // SLOT_MINUTES
    if not 0 <= slot < SLOTS_PER_DAY:
        raise ValueError(f"{time} is not between 04:00 and 20:00 in New York")
    return slot


def main(url: str, symbol: str, time: str, volume: float | None) -> int:
    """Print the mean, and the relative volume; the exit code."""
    connection: Any = redis.Redis.from_url(url, decode_responses=True)
    slot = slot_of(time)
    usual = connection.hget(f"rvol:hist:avg:{symbol}:5", str(slot))
    sessions = connection.hget("rvol:hist:sessions:5", symbol)
    if usual is None:
        print(f"{symbol} at {time}: unknown, no session has observed it", file=sys.stderr)
        return 3
    print(f"{symbol} until {time} (slot {slot}): {usual} shares, the mean of {sessions} sessions")
    if volume is not None:
        print("relative volume: " + (f"{volume / float(usual):.2f}" if float(usual) else "none, usually nobody trades"))
    return 0


if __name__ == "__main__":
    try:
        url_, symbol_, time_, *volumes = sys.argv[1:]
        sys.exit(main(url_, symbol_, time_, float(volumes[0]) if volumes else None))
    except ValueError as error:
        sys.exit(f"{error}\n{__doc__}")
