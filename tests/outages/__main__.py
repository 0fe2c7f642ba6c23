"""Takes servers away from a whole deployment, one way after the other, and prints what it did meanwhile.

python -m tests.outages                       all of them
python -m tests.outages postgres-away --minutes 3
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

import msgspec

from tests.outages import bombs, clocks, giants, noisy_night, postgres, redis, side_by_side, vendor, whole_run, year

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TRIALS: dict[str, Callable[[float], Awaitable[dict[str, Any]]]] = {
    "postgres-away": postgres.away,
    "postgres-unreachable": postgres.unreachable,
    "postgres-black-hole": postgres.black_hole,
    "streams-ended": redis.ended_streams,
    "embedded-redis-killed": whole_run.redis_killed,
    "embedded-postgres-killed": whole_run.postgres_killed,
    "tree-stopped": whole_run.tree_stopped,
    "hung-up": whole_run.hung_up,
    "disk-full": whole_run.disk_full,
    "vendor-drips": vendor.drips,
    "vendor-asks-for-absurd-pauses": vendor.absurd_pauses,
    "bucket-away": vendor.bucket_away,
    "clocks-wrong": clocks.wrong,
    "bombs": bombs.bombs,
    "noisy-night": noisy_night.noisy_night,
    "giants": giants.giants,
    "side-by-side": side_by_side.side_by_side,
    "year": year.year,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.outages", description=__doc__.splitlines()[0])
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], help="which (all)")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long a server stays away (3)")
    options = parser.parse_args()
    failed = 0
    for name in options.trials or TRIALS:
        began = time.monotonic()
        try:
            figures = asyncio.run(TRIALS[name](options.minutes))
        except Exception:  # noqa: BLE001  (a trial that fails is told, and the others go on)
            figures, failed = {"failed": traceback.format_exc()}, failed + 1
        print(f"{name} ({time.monotonic() - began:.0f} s): {msgspec.json.encode(figures).decode()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
