"""`maintenance plan`: what the next cycle will ask of the vendor, and how long the budget makes that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.completeness.backfill import forecast_words
from consumer.completeness.forecast import forecast
from consumer.terminal.answers import Planned, write_json
from consumer.terminal.planner import planner
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.settings import Settings


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print the forecast of the next cycle that falls due. Raises CommandRefused."""
    async with planner(settings) as plan:
        due = plan.schedule.next_due(plan.now)
        expected = await forecast(plan.context(due.trading_day, now=due.due_at), plan.pace)
    if as_json:
        said = msgspec.structs.asdict(expected)
        write_json(Planned(due_at=due.due_at, rule=due.rule.text, requests_in_all=expected.total, **said))
        return ExitCode.OK
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(f"{due.trading_day} · {due.rule.text} · due {due.due_at:%Y-%m-%d %H:%M} UTC", highlight=False)
    console.print(forecast_words(expected), highlight=False)
    return ExitCode.OK
