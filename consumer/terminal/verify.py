"""`maintenance verify`: compares every Redis cache with what PostgreSQL would have it be, and changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from consumer.completeness.caches import CacheFinding, verify_caches
from consumer.terminal.answers import write_json
from consumer.terminal.planner import planner
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.settings import Settings


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print what was compared; 3 on a difference or when no cache was ever written. Raises CommandRefused."""
    async with planner(settings) as plan:
        found = await verify_caches(plan.context)
    if as_json:
        write_json(found)
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), found)
    return ExitCode.OK if found and not any(one.differences for one in found) else ExitCode.FINDING


def _print(console: Console, found: list[CacheFinding]) -> None:
    for one in found:
        verdict = f"[red]{one.differences:,} differ[/]" if one.differences else "[green]equal[/]"
        console.print(f"{one.cache:<16} {one.trading_day}  {one.compared:>9,} compared  {verdict}", highlight=False)
        for line in one.examples:
            console.print(f"  {line}", highlight=False, markup=False)
    if not found:
        console.print("no cache has been written yet: maintenance trigger", highlight=False)
    elif any(one.differences for one in found):
        console.print("to have them written again: maintenance trigger --task redis_sync --force", highlight=False)
