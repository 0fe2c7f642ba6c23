"""`maintenance cancel DAY`: ends what runs or waits for a trading day; its work stops and commits nothing more."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from consumer.cycle import calling_off
from consumer.cycle.reporting import Reporter
from consumer.runtime import utc_now
from consumer.settings import build_calendar
from consumer.terminal.reach import Unreachable, reached
from consumer.verdict.options import expectations_set
from market.schedule import Schedule

if TYPE_CHECKING:
    import datetime as dt

    from consumer.settings import Settings

EXIT_FINDING, EXIT_UNREACHABLE = 3, 4


def operator() -> str:
    """Who is at the terminal, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "operator"


async def cancel(settings: Settings, day: dt.date, *, reason: str | None, by: str | None) -> int:
    """Cancel and say what was ended; 3 when nothing runs or waits for *day*."""
    try:
        async with reached(settings) as service:
            expectations = expectations_set(settings, Schedule(build_calendar(settings), settings.rules))
            reporter = Reporter(service.pool, service.redis, expectations, now=utc_now)
            cycles = await calling_off.cancel(
                service.pool, service.stream, reporter, day, by=by or operator(), reason=reason, now=utc_now()
            )
    except Unreachable as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREACHABLE
    if not cycles:
        sys.stderr.write(f"nothing runs or waits for {day}; `maintenance status` shows what does\n")
        return EXIT_FINDING
    for cycle in cycles:
        sys.stdout.write(f"cycle {cycle.cycle_id} for {cycle.trading_day} ({cycle.occasion}) cancelled\n")
    return 0
