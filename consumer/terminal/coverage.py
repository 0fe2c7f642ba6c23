"""`maintenance coverage` and `maintenance gaps`: what the sessions hold and lack, equal neighbours in a line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.catalogue.registry import DATA_SETS
from consumer.completeness.folding import COUNTED, Folded, folded
from consumer.completeness.sessions import SessionCoverage, Span, sessions_of
from consumer.completeness.symbol_sessions import UnknownSymbol, sessions_of_symbol
from consumer.terminal.answers import CoverageRow, write_json
from consumer.terminal.planner import planner
from consumer.terminal.refused import usage
from consumer.verdict.states import SessionState
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.completeness.planner import Planner
    from consumer.settings import Settings

COLOURS = {SessionState.FINAL: "green", SessionState.PROVISIONAL: "yellow", SessionState.RETIRED: "dim"}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Of which sessions, data sets (none: all) and symbol (None: of the market) something is to be said."""

    span: Span
    data_sets: tuple[str, ...]
    symbol: str | None
    gaps_only: bool


async def show(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    """Print the sessions, or only those with gaps; 3 when there are gaps. Raises CommandRefused."""
    _refuse(wanted)
    try:
        async with planner(settings) as plan:
            found = [one for one in await _read(plan, wanted) if one.one.data_set in (wanted.data_sets or _NAMES)]
            calendar = plan.schedule.calendar
    except CalendarError as error:
        raise usage(error) from error
    except UnknownSymbol as error:
        raise usage(f"nothing is known of {error}: give a symbol as `daily_history` has it") from error
    gaps = [one for one in found if one.is_gap]
    shown = gaps if wanted.gaps_only else found
    if as_json:
        write_json([coverage_row(one) for one in shown])
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), folded(shown, calendar), gaps)
    return ExitCode.FINDING if gaps else ExitCode.OK


_NAMES = tuple(one.name for one in DATA_SETS if one.is_of_sessions)


def _refuse(wanted: Wanted) -> None:
    first, last = wanted.span.first, wanted.span.last
    if first is not None and last is not None and first > last:
        raise usage(f"--from {first} is after --to {last}: give the earlier day to --from")
    if unknown := [name for name in wanted.data_sets if name not in _NAMES]:
        raise usage(f"--data-set {unknown[0]}: there is none of that name; there are {', '.join(_NAMES)}")


async def _read(plan: Planner, wanted: Wanted) -> list[SessionCoverage]:
    if wanted.symbol is None:
        return await sessions_of(plan, wanted.span)
    return await sessions_of_symbol(plan, wanted.span, wanted.symbol)


def coverage_row(one: SessionCoverage) -> CoverageRow:
    """The same as one flat row."""
    return CoverageRow(trading_day=one.trading_day, is_gap=one.is_gap, **msgspec.structs.asdict(one.one))


def _print(console: Console, shown: list[Folded], gaps: list[SessionCoverage]) -> None:
    if shown:
        table = Table("sessions", "", "data set", "state", box=None, pad_edge=False)
        for name in ("expected", "loaded", "no trades", "unproven", "missing", "set aside", "restated"):
            table.add_column(name, justify="right")
        for name in ("fetched, UTC", "source", "cycle"):
            table.add_column(name)
        for span in shown:
            table.add_row(*_cells(span))
        console.print(table)
    if not gaps:
        console.print("no gaps", highlight=False)
        return
    days = [one.trading_day for one in gaps]
    console.print(
        f"[red]{len(gaps)} gaps[/]; to repair them: maintenance backfill --from {min(days)} --to {max(days)}",
        highlight=False,
    )


def _cells(span: Folded) -> list[str]:
    """What is the same in all of them, and from where to where the rest goes."""
    one = span.like.one
    days = str(span.last) if span.first == span.last else f"{span.first} to {span.last}"
    state = f"[{COLOURS.get(one.state, 'red')}]{one.state.value}[/]" + (" (outdated)" if one.outdated else "")
    cycles = {row.one.cycle for row in span.rows}
    return [
        days,
        "" if span.sessions == 1 else f"{span.sessions} sessions",
        ", ".join(span.data_sets),
        state,
        *(_counted(*span.between(name)) for name in COUNTED),
        _fetched(span),
        one.source or "",
        str(one.cycle or "") if len(cycles) == 1 else f"{len(cycles)} cycles",
    ]


def _counted(least: int, most: int) -> str:
    if least == most:
        return f"{most:,}" if most else ""
    return f"{least:,} to {most:,}"


def _fetched(span: Folded) -> str:
    times = [row.one.since for row in span.rows if row.one.since is not None]
    if not times:
        return ""
    oldest, newest = min(times), max(times)
    if oldest == newest:
        return f"{oldest:%Y-%m-%d %H:%M:%S}"
    if oldest.date() != newest.date():
        return f"{oldest:%Y-%m-%d} to {newest:%Y-%m-%d}"
    until = f" to {newest:%H:%M}" if f"{oldest:%H:%M}" != f"{newest:%H:%M}" else ""
    return f"{oldest:%Y-%m-%d %H:%M}{until}"
