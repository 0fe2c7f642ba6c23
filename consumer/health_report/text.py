"""Prints a report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from consumer.health_report.report import Standing
from consumer.health_report.sections import STANDINGS, headline, notes, sections, standing_line
from consumer.health_report.weeks import WEEKDAYS, weeks

if TYPE_CHECKING:
    from rich.console import Console

    from consumer.health_report.report import DayHealth, Report
    from consumer.health_report.sections import Rows

_COLOURS = {
    Standing.FINAL: "green",
    Standing.PROVISIONAL: "yellow",
    Standing.PARTIAL: "red",
    Standing.MISSING: "red",
    Standing.SUSPECT: "magenta",
    Standing.RETIRED: "dim",
    Standing.NOT_YET_DUE: "dim",
    Standing.BEFORE_THE_DATA: "dim",
}


def print_report(console: Console, report: Report) -> None:
    """Print it whole; what others wrote is printed as it is and never read as markup."""
    colour = "bold green" if report.is_whole else "bold red"
    console.print(Text(headline(report), style=colour))
    _print_lines(console, (standing_line(report), *notes(report)))
    console.print()
    console.print(_calendar(report))
    for section in sections(report):
        console.print()
        console.print(Text(section.heading, style="bold"))
        _print_lines(console, section.lines)
        for rows in section.tables:
            console.print(_table(rows))
            if rows.more:
                _print_lines(console, (f"and {rows.more:,} more; --json names up to fifty",))
    console.print()
    source = "" if report.source is None else f", of {report.source}"
    _print_lines(console, (f"as of {report.as_of:%Y-%m-%d %H:%M} UTC{source}",))


def _print_lines(console: Console, lines: tuple[str, ...]) -> None:
    for line in lines:
        console.print(Text(line))


def _calendar(report: Report) -> Table:
    table = Table(*WEEKDAYS, box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for week in weeks(report.days):
        table.add_row(*(Text("") if one is None else _cell(one) for one in week))
    return table


def _cell(one: DayHealth) -> Text:
    cell = Text(f"{one.day.day:>2} ")
    if one.standing is None:
        cell.append(one.closed or "", style="dim")
        return cell
    cell.append(STANDINGS[one.standing], style=_COLOURS[one.standing])
    if one.early_close is not None:
        cell.append(f" to {one.early_close}", style="dim")
    if one.gaps:
        cell.append(" !", style="red")
    return cell


def _table(rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(rows.columns):
        table.add_column(Text(name), justify="right" if place in rows.numbers else "left")
    for row in rows.rows:
        table.add_row(*map(Text, row))
    return table
