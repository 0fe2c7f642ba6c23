"""`maintenance backfill`: forecasts what a span of sessions lacks and costs, then has exactly that repaired.

It runs behind all other work: the day's own cycle suspends it, and it goes on afterwards.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.completeness.backfill import Backfill, Expected, expected_of, forecast_words, gap_lines, refusal
from consumer.terminal.answers import Backfilled, write_json
from consumer.terminal.coverage import coverage_row
from consumer.terminal.planner import planner
from consumer.terminal.refused import usage
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode
from producers.trigger import request_backfill

if TYPE_CHECKING:
    from consumer.completeness.planner import Planner
    from consumer.settings import Settings


class BackfillRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance backfill`."""

    wanted: Backfill
    dry_run: bool
    as_json: bool = False


async def run(settings: Settings, request: BackfillRequest) -> int:
    """Say what would be done; without a dry run, ask for it and print the stream entry. Raises CommandRefused."""
    try:
        async with planner(settings, look=request.dry_run) as plan:
            if (refused := refusal(plan.schedule, request.wanted, now=plan.now)) is not None:
                raise usage(refused)
            return await _forecast_and_ask(plan, request)
    except CalendarError as error:
        raise usage(error) from error


async def _forecast_and_ask(plan: Planner, request: BackfillRequest) -> int:
    console = Console(stderr=True)
    expected = await expected_of(plan, request.wanted)
    console.print("\n".join(gap_lines(expected.gaps)) or "no gaps", highlight=False)
    console.print(forecast_words(expected.forecast), highlight=False)
    entry_id = None
    if expected.forecast.parts and not request.dry_run:
        first, last = expected.sessions[0], expected.sessions[-1]
        entry_id = await request_backfill(
            plan.redis, first, last, task=request.wanted.task, requested_by="maintenance backfill"
        )
    if request.as_json:
        write_json(_answer(expected, request, entry_id))
    elif entry_id is not None:
        sys.stdout.write(f"{entry_id}\n")
    return ExitCode.OK


def _answer(expected: Expected, request: BackfillRequest, entry_id: str | None) -> Backfilled:
    return Backfilled(
        first=expected.sessions[0],
        last=expected.sessions[-1],
        sessions=len(expected.sessions),
        task=request.wanted.task,
        gaps=[coverage_row(one) for one in expected.gaps],
        total=expected.forecast.total,
        forecast=expected.forecast,
        entry_id=entry_id,
    )
