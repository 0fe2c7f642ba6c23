"""Holds our trading calendar against the vendor's closures ahead, once a trading day; a difference is a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import coverage, ledger
from consumer.tasks.part import Came
from consumer.tasks.set_aside import rejected_warnings
from consumer.vendor.errors import EndpointNotFound, NotEntitled, TickerNotFound
from contract import data_sets
from market.calendar_check import ListedClosure, disagreements
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

OURS = ("NYSE", "NASDAQ")


async def check_calendar(ctx: PartContext) -> Write:
    """Ask for the closures ahead and say where they differ; a vendor without them is a note."""
    asked_at = ctx.services.now()
    sieve = ctx.sieve()
    try:
        rows = await ctx.services.vendor.upcoming_closures(sieve=sieve)
    except (NotEntitled, TickerNotFound, EndpointNotFound) as error:
        rows, lines = [], [f"calendar: the vendor lists no closures ahead for this key ({error})"]
    else:
        listed = [
            ListedClosure(day=row.date, status=row.status or "", closes_at=row.close)
            for row in rows
            if row.exchange in OURS
        ]
        lines = disagreements(listed, ctx.services.calendar, asked_at.astimezone(NEW_YORK).date())

    day = await ctx.present_day(asked_at)

    async def write(connection: Connection) -> PartReport:
        came = Came(at=asked_at, rows=len(rows), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.CALENDAR_CHECK, day, came)
        detail = {"differences": lines}
        await coverage.record_coverage(connection, data_sets.CALENDAR_CHECK, day, loaded, detail=detail)
        return ledger.PartReport(warnings=(*lines, *rejected_warnings("calendar", sieve.rejected)))

    return write
