"""Prints the page's calendar as text: a line a session, a column a data set, each cell by its word.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from contract.reports import SessionState

if TYPE_CHECKING:
    from consumer.page.calendar import Calendar, Cell, SessionRow

SESSIONS = 10
COLOURS = {SessionState.FINAL: "green", SessionState.PROVISIONAL: "green", SessionState.RETIRED: "dim"}


def calendar_table(calendar: Calendar, *, sessions: int = SESSIONS) -> Table:
    """Return the newest *sessions*, and the weekdays among and after them on which the exchange is shut."""
    names = [one.name for one in calendar.columns]
    table = Table("session", "closes", "in all", *names, box=None, pad_edge=False)
    rows = calendar.sessions[:sessions]
    oldest = min((row.trading_day for row in rows), default=None)
    lines = {one.day: one for one in calendar.closed if oldest is None or one.day >= oldest}
    for day in sorted({*lines, *(row.trading_day for row in rows)}, reverse=True):
        row = next((one for one in rows if one.trading_day == day), None)
        if row is None:
            table.add_row(f"{day:%a %d %b}", Text(f"closed: {lines[day].reason}", "dim"))
            continue
        cells = {cell.data_set: cell for cell in row.cells}
        early = f"{row.closes} early" if row.early_close else row.closes
        table.add_row(f"{day:%a %d %b}", early, _in_all(row), *(_cell(cells.get(name)) for name in names))
    return table


def _in_all(row: SessionRow) -> Text:
    doing = f", {row.doing.value}" if row.doing is not None else ""
    late = ", LATE" if row.late else ""
    open_ = ", in progress" if row.in_progress else ""
    return Text(f"{row.state.value}{doing}{late}{open_}", COLOURS.get(row.state, "red"))


def _cell(cell: Cell | None) -> Text:
    """What stands; first what is being done about it, as the page says it."""
    if cell is None:
        return Text("-", "dim")
    said = [cell.doing.value] if cell.doing is not None else []
    said += [cell.state.value, *([cell.counted] if cell.counted else []), *([f"due {cell.due}"] if cell.due else [])]
    marks = {"LATE": cell.late, "gap": cell.is_gap, "outdated": cell.outdated, "backfilled": cell.backfilled}
    said += [name for name, shown in marks.items() if shown]
    return Text(", ".join(said), COLOURS.get(cell.state, "red"))
