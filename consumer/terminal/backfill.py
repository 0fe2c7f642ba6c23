"""`maintenance backfill`: forecasts what a span of sessions lacks and costs, then has exactly that repaired.

It runs behind all other work: the day's own cycle suspends it, and it goes on afterwards.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.completeness.backfill import Backfill, expected_of, forecast_words, gap_lines, refusal
from consumer.postgres.decisions import COMMAND_LINE
from consumer.terminal.cancel import operator
from consumer.terminal.parameters import NOBODY, Who
from consumer.terminal.planner import planner
from consumer.terminal.refused import usage
from contract.messages import TaskMessage
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode
from producers.trigger import request as request_of

if TYPE_CHECKING:
    from consumer.completeness.planner import Planner
    from consumer.settings import Settings


class BackfillRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance backfill`."""

    wanted: Backfill
    dry_run: bool
    who: Who = NOBODY


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
    if request.dry_run or not expected.forecast.parts:
        return ExitCode.OK
    first, last = expected.sessions[0], expected.sessions[-1]
    message = TaskMessage(
        task=request.wanted.task,
        trading_day=last,
        first_day=first,
        requested_by=request.who.by or operator(),
        reason=request.who.reason,
        via=COMMAND_LINE,
    )
    entry_id = await request_of(plan.redis, message)
    sys.stdout.write(f"{entry_id}\n")
    return ExitCode.OK
