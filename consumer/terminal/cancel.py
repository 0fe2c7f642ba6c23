"""`maintenance cancel DAY`: ends what runs or waits for a trading day; its work stops and commits nothing more."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from consumer.cycle import calling_off
from consumer.cycle.reporting import Reporter
from consumer.runtime import utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import Cancelled, write_json
from consumer.terminal.reach import reached
from consumer.verdict.options import expectations_set
from contract.flat_fields import BadField
from contract.plain_text import require_plain
from market.schedule import Schedule
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.decisions import Decision
    from consumer.settings import Settings


def operator() -> str:
    """Who is at the terminal, for the record."""
    try:
        return require_plain("user", getpass.getuser())
    except (OSError, KeyError, BadField):  # a container's user without a name, or one that no table could keep
        return "operator"


async def cancel(settings: Settings, day: dt.date, *, decision: Decision, as_json: bool) -> int:
    """Cancel and say what was ended; 3 when nothing runs or waits for *day*."""
    async with reached(settings) as service:
        expectations = expectations_set(settings, Schedule(build_calendar(settings), settings.rules))
        reporter = Reporter(service.pool, service.redis, expectations, now=utc_now)
        cycles = await calling_off.cancel(service.pool, service.stream, reporter, day, decision)
    ended = [Cancelled(cycle=one.cycle_id, trading_day=one.trading_day, occasion=one.occasion) for one in cycles]
    if as_json:
        write_json(ended)
    if not cycles:
        sys.stderr.write(f"nothing runs or waits for {day}; `maintenance status` shows what does\n")
        return ExitCode.FINDING
    for one in ended if not as_json else ():
        sys.stdout.write(f"cycle {one.cycle} for {one.trading_day} ({one.occasion}) cancelled\n")
    return ExitCode.OK
