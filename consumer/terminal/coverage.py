"""`maintenance coverage` and `maintenance gaps`: what every session holds, and what it lacks."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.completeness.sessions import SessionCoverage, State, first_sessions, read_sessions
from consumer.terminal.planner import Planner, planner
from consumer.terminal.reach import Unreachable
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from consumer.settings import Settings

EXIT_USAGE, EXIT_FINDING, EXIT_UNREACHABLE = 2, 3, 4
COLOURS = {State.FINAL: "green", State.EARLY: "yellow"}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions asked for; None: from where the data begins, to the last completed day."""

    first: dt.date | None
    last: dt.date | None


async def show(settings: Settings, span: Span, *, gaps_only: bool, as_json: bool) -> int:
    """Print the sessions, or only those with gaps; 3 when there are gaps, 4 when unreachable."""
    try:
        async with planner(settings) as plan:
            found = await sessions_of(plan, span)
    except CalendarError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except Unreachable as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREACHABLE
    gaps = [one for one in found if one.is_gap]
    shown = gaps if gaps_only else found
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown)).decode() + "\n")
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), shown, gaps)
    return EXIT_FINDING if gaps else 0


async def sessions_of(plan: Planner, span: Span) -> list[SessionCoverage]:
    """Return every session of *span*; by default each data set from where it begins."""
    last = span.last or plan.schedule.calendar.last_completed(plan.now)
    options = plan.context(last).services.options
    starts = await first_sessions(
        plan.reached.pool, plan.ruler, last, bars=options.ohlc_sessions, slots=options.slot_sessions
    )
    first = span.first or min(starts.values())
    found = await read_sessions(plan.reached.pool, plan.ruler, first, last)
    return [one for one in found if span.first is not None or one.trading_day >= starts[one.data_set]]


def _print(console: Console, shown: list[SessionCoverage], gaps: list[SessionCoverage]) -> None:
    if shown:
        table = Table("session", "data set", "state", box=None, pad_edge=False)
        for name in ("expected", "loaded", "no trades", "unproven", "missing", "set aside", "restated"):
            table.add_column(name, justify="right")
        for name in ("fetched, UTC", "source", "cycle"):
            table.add_column(name)
        for one in shown:
            counts = (one.expected, one.loaded, one.empty, one.unproven, one.missing, one.set_aside, one.restated)
            fetched = "" if one.fetched_at is None else f"{one.fetched_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(
                str(one.trading_day), one.data_set, f"[{COLOURS.get(one.state, 'red')}]{one.state.value}[/]",
                *(f"{count:,}" if count else "" for count in counts), fetched, one.source or "", str(one.cycle or ""),
            )  # fmt: skip
        console.print(table)
    if not gaps:
        console.print("no gaps", highlight=False)
        return
    days = [one.trading_day for one in gaps]
    console.print(
        f"[red]{len(gaps)} gaps[/]; to repair them: maintenance backfill --from {min(days)} --to {max(days)}",
        highlight=False,
    )
