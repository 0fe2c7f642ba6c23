"""`maintenance pending`: who holds which work, for how long since its last beat, and what waits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.checks.pending_work import Held, PendingWork, Work, read_pending
from consumer.cycle.day_status import human_duration
from consumer.runtime import utc_now
from consumer.terminal.reach import Unreachable, reached

if TYPE_CHECKING:
    from consumer.settings import Settings

EXIT_FINDING, EXIT_UNREACHABLE = 3, 4


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print what is under way; 3 when something is held by nobody alive, or was handed out too often."""
    try:
        async with reached(settings) as service:
            found = await read_pending(
                service.redis, lease=settings.lease, max_deliveries=settings.max_deliveries, now=utc_now()
            )
    except Unreachable as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREACHABLE
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), found)
    return EXIT_FINDING if any(one.abandoned or one.suspect for one in found.held) else 0


def _print(console: Console, found: PendingWork) -> None:
    if found.held:
        table = Table("work", "holder", "idle/lease", "delivery", "entry", box=None, pad_edge=False)
        for one in found.held:
            table.add_row(words(one.work, one.stream), one.holder, _idle(one), _delivery(one), one.entry_id)
        console.print(table, highlight=False)
    nobody = "" if found.held else "nothing is held; "
    console.print(f"{nobody}{found.queued} queued, {len(found.parked)} parked", highlight=False)
    for parked in found.parked:
        left = (parked.due_at - found.now).total_seconds()
        when = f"in {human_duration(left)}" if left > 0 else "now"
        console.print(f"  due {when} ({parked.due_at:%Y-%m-%d %H:%M:%S} UTC): {words(parked.work)}", highlight=False)
    if any(one.abandoned for one in found.held):
        console.print("[red]a lease has run out[/] and nobody took the work over: is a consumer running?")
    if any(one.suspect for one in found.held):
        console.print("[red]handed out too often[/]: its next delivery makes it a dead letter, with the reason")


def words(work: Work, stream: str = "") -> str:
    """One line for a piece of work."""
    asked = [str(work.trading_day or ""), work.task or stream, work.part or "", f"({work.note})" if work.note else ""]
    return " ".join(word for word in asked if word)


def _idle(one: Held) -> str:
    text = f"{one.idle_seconds:.1f}/{one.lease_seconds:g} s"
    return f"[red]{text}[/]" if one.abandoned else text


def _delivery(one: Held) -> str:
    text = f"{one.deliveries}/{one.max_deliveries}"
    return f"[red]{text}[/]" if one.suspect else text
