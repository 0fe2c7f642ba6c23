"""`maintenance report`: one month's health on one page, as text, as JSON, or as an HTML file."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.health_report import html, text
from consumer.health_report.month import BadMonth, month_of, read_month
from consumer.health_report.reading import read_report
from consumer.runtime import utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import write_json
from consumer.terminal.reach import looking
from consumer.terminal.refused import usage
from consumer.verdict.options import expectations_set
from market.schedule import Schedule
from market.trading_calendar import NEW_YORK
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.health_report.report import Report
    from consumer.settings import Settings


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which month, None: that of the last completed session; and as what, if not as text."""

    month: str | None
    as_json: bool
    html: Path | None


async def show(settings: Settings, wanted: Wanted) -> int:
    """Print the report or write it; 3 when something of the month lacks. Raises CommandRefused."""
    _refuse(wanted)
    report = await _read(settings, wanted)
    if wanted.html is not None:
        _write(wanted.html, html.page(report))
    elif wanted.as_json:
        write_json(report)
    else:
        text.print_report(Console(width=None if sys.stdout.isatty() else 200, highlight=False), report)
    return ExitCode.OK if report.is_whole else ExitCode.FINDING


def _refuse(wanted: Wanted) -> None:
    """Before anything is asked."""
    if wanted.html is None:
        return
    if wanted.as_json:
        raise usage("--json and --html: give one of them")
    if wanted.html.is_dir() or not wanted.html.parent.is_dir():
        raise usage(f"--html {wanted.html}: name a file in a folder that is there")


async def _read(settings: Settings, wanted: Wanted) -> Report:
    calendar, now = build_calendar(settings), utc_now()
    try:
        month = month_of(calendar.last_completed(now))
        if wanted.month is not None:
            month = read_month(wanted.month, calendar, today=now.astimezone(NEW_YORK).date())
        expectations = expectations_set(settings, Schedule(calendar, settings.rules))
        async with looking(settings) as service, service.pool.acquire() as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await read_report(connection, expectations, month, now=now)
    except BadMonth as error:
        raise usage(error) from error


def _write(path: Path, page: str) -> None:
    """Put *page* in the place of a file whole: whoever reads it meanwhile has the one or the other.

    What is there and no file of its own, such as /dev/stdout, is written to.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_text(page, "utf-8")
        else:
            unfinished.write_text(page, "utf-8")
            unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise usage(f"--html {path} cannot be written: {error.strerror or error}") from error
    sys.stderr.write(f"written: {path}\n")
