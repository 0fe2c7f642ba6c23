"""Says which sessions and figures stand in the tables as their coverage says: what somebody deleted is made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import bars, coverage
from contract import data_sets as sets
from market.row_counts import short_days

if TYPE_CHECKING:
    import datetime as dt

    from consumer.tasks.part import PartContext


async def sound_sessions(ctx: PartContext, sessions: tuple[dt.date, ...]) -> dict[dt.date, coverage.Covered]:
    """Return what is covered and settled of *sessions*, but what is short of the days around it or has lost rows."""
    wanted = {day: ctx.settled_since(day) for day in sessions}
    covered = await coverage.covered_days(ctx.services.pool, sets.DAILY_BARS, wanted)
    early = {day for day in sessions if ctx.services.calendar.session(day).early_close}
    short = short_days({day: known.row_count for day, known in covered.items()}, early)
    rows = await bars.count_by_day(ctx.services.pool, sessions)
    lost = {day for day, known in covered.items() if rows.get(day, 0) < known.row_count and not known.retired}
    return {
        day: known
        for day, known in covered.items()
        if day not in lost and (day not in short or known.detail.get("accepted_short"))
    }


async def is_universe_there(ctx: PartContext) -> bool:
    """Whether anybody is listed: no listing leaves nobody."""
    listed = "SELECT EXISTS (SELECT FROM listed_ticker WHERE is_active)"
    return bool(await ctx.services.pool.fetchval(listed))


async def is_atr_there(ctx: PartContext) -> bool:
    """Whether the ATR rows of the cycle's day are as many as were computed."""
    known = await coverage.covered_on(ctx.services.pool, sets.ATR, ctx.day)
    return known is None or await bars.count_atr(ctx.services.pool, ctx.day) >= known.row_count
