"""Does something once a session's data are whole: follows `maintenance:events` and asks what stands.

    python examples/follow_completion.py REDIS_URL [--once]

An event wakes it; what is so is read from a key, for events may be lost with Redis and come twice. Prints a line for
each session that becomes whole: a day and `provisional` or `final`. Needs the package redis, nothing of ours.
"""

from __future__ import annotations

import sys
from typing import Any

import redis

WHOLE = {"provisional": "maintenance:last_run", "final": "maintenance:last_final"}


def whole(connection: Any) -> set[tuple[str, str]]:
    """The newest session that is whole, and the newest that is final, as far as there are such."""
    found = {state: connection.get(key) for state, key in WHOLE.items()}
    return {(day, state) for state, day in found.items() if day is not None}


def main(url: str, *, once: bool) -> None:
    """Follow until interrupted; *once*: until the first session that is final."""
    connection = redis.Redis.from_url(url, decode_responses=True)
    # The place first, then what stands: nothing can happen between the two unseen.
    newest: Any = connection.xrevrange("maintenance:events", count=1)
    place = newest[0][0] if newest else "0"
    told: set[tuple[str, str]] = set()
    while True:
        for day, state in sorted(whole(connection) - told):
            print(day, state, flush=True)  # here: start what waits for the data
            told.add((day, state))
            if once and state == "final":
                return
        happened: Any = connection.xread({"maintenance:events": place}, block=60_000)
        if happened:
            place = happened[0][1][-1][0]


if __name__ == "__main__":
    main(sys.argv[1], once="--once" in sys.argv)
