"""`maintenance coverage` and `maintenance gaps`: what every session holds, and what it lacks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.completeness.sessions import SessionCoverage, Span, sessions_of
from consumer.terminal.planner import planner
from consumer.terminal.refused import usage
from consumer.verdict.states import SessionState
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.settings import Settings

COLOURS = {SessionState.FINAL: "green", SessionState.PROVISIONAL: "yellow", SessionState.RETIRED: "dim"}


async def show(settings: Settings, span: Span, *, gaps_only: bool, as_json: bool) -> int:
    """Print the sessions, or only those with gaps; 3 when there are gaps. Raises CommandRefused."""
    if span.first is not None and span.last is not None and span.first > span.last:
        raise usage(f"--from {span.first} is after --to {span.last}: give the earlier day to --from")
    try:
        async with planner(settings) as plan:
            found = await sessions_of(plan, span)
    except CalendarError as error:
        raise usage(error) from error
    gaps = [one for one in found if one.is_gap]
    shown = gaps if gaps_only else found
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode([one.as_json() for one in shown])).decode() + "\n")
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), shown, gaps)
    return ExitCode.FINDING if gaps else ExitCode.OK


def _print(console: Console, shown: list[SessionCoverage], gaps: list[SessionCoverage]) -> None:
    if shown:
        table = Table("session", "data set", "state", box=None, pad_edge=False)
        for name in ("expected", "loaded", "no trades", "unproven", "missing", "set aside", "restated"):
            table.add_column(name, justify="right")
        for name in ("fetched, UTC", "source", "cycle"):
            table.add_column(name)
        for each in shown:
            one = each.one
            counts = (one.expected, one.loaded, one.empty, one.unproven, one.missing, one.set_aside, one.restated)
            fetched = "" if one.since is None else f"{one.since:%Y-%m-%d %H:%M:%S}"
            state = f"[{COLOURS.get(one.state, 'red')}]{one.state.value}[/]" + (" (outdated)" if one.outdated else "")
            table.add_row(
                str(each.trading_day),
                one.data_set,
                state,
                *(f"{count:,}" if count else "" for count in counts),
                fetched,
                one.source or "",
                str(one.cycle or ""),
            )
        console.print(table)
    if not gaps:
        console.print("no gaps", highlight=False)
        return
    days = [one.trading_day for one in gaps]
    console.print(
        f"[red]{len(gaps)} gaps[/]; to repair them: maintenance backfill --from {min(days)} --to {max(days)}",
        highlight=False,
    )
