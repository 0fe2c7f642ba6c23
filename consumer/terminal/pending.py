"""`maintenance pending`: who holds which work, for how long since its last beat, and what waits.

Asks Redis alone: it answers also while PostgreSQL is away, which is when somebody wants to know.
"""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.checks.asked_work import Work
from consumer.checks.pending_work import Held, HeldAs, PendingWork, read_pending
from consumer.cycle.run_report import human_duration
from consumer.runtime import connect_redis
from consumer.terminal.answers import write_json
from consumer.terminal.stopped_servers import looked_at
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.checks.asked_work import Work
    from consumer.settings import Settings

LISTED = 40
WIDE = 100  # columns that a line with day and cycle in it needs
COLOURS = {HeldAs.RUNNING: "", HeldAs.LAST_DELIVERY: "red", HeldAs.ABANDONED: "red", HeldAs.GHOST: "yellow"}
MEANINGS = {
    HeldAs.ABANDONED: "no beat for longer than the lease, and nobody took it over: is a consumer running? "
    "`maintenance doctor` looks further",
    HeldAs.LAST_DELIVERY: "has lost its consumer again and again; the next time makes it a dead letter. Its task, "
    "day and part say where to look",
    HeldAs.GHOST: "its message was deleted; the next consumer that looks forgets it, and sends anew what was planned",
}


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print what is under way; 3 when something is held by nobody alive or on its last delivery."""
    async with looked_at(settings, redis_alone=True) as servers, connect_redis(servers.redis_url) as redis:
        found = await read_pending(redis, lease=settings.lease, max_deliveries=settings.max_deliveries)
    if as_json:
        write_json(found)
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), found)
    return ExitCode.FINDING if found.asks_for_a_person else ExitCode.OK


def _print(console: Console, found: PendingWork) -> None:
    console.print(_summary(found), highlight=False)
    if console.width >= WIDE:
        _print_table(console, found.held, wide=True)
    else:
        for heading, some in groupby(found.held, key=_heading):
            console.print(Text(heading, "bold"))
            _print_table(console, list(some), wide=False)
    _print_parked(console, found)
    for standing, meaning in MEANINGS.items():
        if any(one.standing is standing for one in found.held):
            console.print(Text(f"{_words(standing)}: {meaning}", COLOURS[standing]))


def _summary(found: PendingWork) -> str:
    if not (found.held_in_all or found.queued or found.parked_in_all):
        return "nothing is under way"
    listed = f", the first {len(found.held)} shown" if found.held_in_all > len(found.held) else ""
    newer = f", {len(found.for_newer)} for a newer worker" if found.for_newer else ""
    return f"{found.held_in_all} held{listed}, {found.queued} queued, {found.parked_in_all} parked for later{newer}"


def _print_table(console: Console, held: list[Held], *, wide: bool) -> None:
    """A line an entry; where there is no room for all of it, what a heading says is left out."""
    if not held:
        return
    table = Table(*(["day", "cycle", "task"] if wide else []), "part", box=None, pad_edge=False)
    table.add_column("holder", no_wrap=True, overflow="ellipsis", min_width=8)
    unusual = any(one.standing is not HeldAs.RUNNING for one in held)
    for name in ("idle", "delivery", "entry", *(["standing"] if unusual else [])):
        table.add_column(name, no_wrap=True)
    for one in held:
        work = one.work
        known = [str(work.trading_day or "-"), str(work.cycle or "-"), work.task or one.stream] if wide else []
        cells = [
            *known,
            _part(work),
            one.holder,
            f"{one.idle_seconds:.1f}/{one.lease_seconds:g} s",
            f"{one.deliveries}/{one.max_deliveries}",
            one.entry_id,
            *([_words(one.standing)] if unusual else []),
        ]
        table.add_row(*map(Text, cells), style=COLOURS[one.standing])
    console.print(table)


def _print_parked(console: Console, found: PendingWork) -> None:
    for one in found.parked[:LISTED]:
        left = (one.due_at - found.now).total_seconds()
        when = f"in {human_duration(left)}" if left > 0 else "now"
        words = (str(one.work.trading_day or ""), one.work.task or one.key, _part(one.work))
        asked = " ".join(word for word in words if word)
        console.print(Text(f"due {when}, {one.due_at:%Y-%m-%d %H:%M:%S} UTC: {asked}"))
    if found.parked_in_all > LISTED:
        console.print(f"and {found.parked_in_all - LISTED} more parked; --json has the first 1,000")


def _heading(one: Held) -> str:
    work = one.work
    words = [str(work.trading_day or ""), f"cycle {work.cycle}" if work.cycle else "", work.task or one.stream]
    return " · ".join(word for word in words if word)


def _part(work: Work) -> str:
    return " ".join(word for word in (work.part, f"({work.note})" if work.note else "") if word)


def _words(standing: HeldAs) -> str:
    return standing.value.replace("_", " ")
