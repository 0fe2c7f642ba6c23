"""`maintenance coverage` and `maintenance gaps`: what every session holds, and what it lacks."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.catalogue.registry import DATA_SETS
from consumer.postgres import coverage
from consumer.terminal.planner import Planner, planner
from consumer.terminal.refused import usage
from consumer.verdict.gaps import is_gap
from consumer.verdict.reading import judge_sessions
from consumer.verdict.states import DataSetVerdict, SessionState
from contract import data_sets as sets
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.settings import Settings

COLOURS = {SessionState.FINAL: "green", SessionState.PROVISIONAL: "yellow", SessionState.RETIRED: "dim"}


class SessionCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One data set of one session, and whether somebody should see to it."""

    trading_day: dt.date
    one: DataSetVerdict
    is_gap: bool

    def as_json(self) -> dict[str, object]:
        return {"trading_day": self.trading_day, **msgspec.to_builtins(self.one), "is_gap": self.is_gap}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions asked for; None: from where the data begins, to the last completed day."""

    first: dt.date | None
    last: dt.date | None


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


async def sessions_of(plan: Planner, span: Span) -> list[SessionCoverage]:
    """Return what every session of *span* has, newest first; by default each data set from where it is kept."""
    calendar = plan.schedule.calendar
    last = span.last or calendar.last_completed(plan.now)
    async with plan.reached.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        first = span.first or await _kept_since(connection, plan, last)
        judged = await judge_sessions(
            connection,
            plan.expectations,
            now=plan.now,
            days=calendar.trading_days(first, last),
            every_set=span.first is not None,
        )
    found = []
    for day in sorted(judged.verdicts, reverse=True):
        verdict = judged.verdicts[day]
        for one in (verdict.of(each.name) for each in reversed(DATA_SETS) if each.is_of_sessions):
            if one is not None and (span.first is not None or judged.ruler.kept(one.data_set, day)):
                found.append(SessionCoverage(trading_day=day, one=one, is_gap=is_gap(one, verdict, judged.ruler)))
    return found


async def _kept_since(connection: Connection, plan: Planner, last: dt.date) -> dt.date:
    """The first session of the window, or the oldest one that is stored."""
    window = plan.schedule.calendar.last_trading_days(plan.expectations.ohlc_sessions, up_to=last)[0]
    oldest = await coverage.first_covered(connection, sets.DAILY_BARS)
    return window if oldest is None else min(window, oldest)


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
