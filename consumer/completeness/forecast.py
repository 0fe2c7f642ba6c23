"""Forecasts what a cycle would ask of the vendor and how long the budget makes that, before a request is spent.

The plan itself is the forecast: the same function that plans a cycle is asked what it would do.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.plan import files_seen, missing_parts
from consumer.postgres import coverage
from consumer.tasks import metadata_enrich, recheck, slot_rows
from consumer.vendor.questions import Question
from contract import data_sets as sets

if TYPE_CHECKING:
    from consumer.tasks.part import PartContext

LISTING_PAGE, FLOAT_PAGE = 1_000, 5_000
#: Sessions of five-minute bars that one answer holds (50,000 minutes, 960 a session).
SESSIONS_A_REQUEST = 52
#: A market of this size is taken for granted where nothing is known yet.
USUAL_MARKET = 11_000


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The request budget of the key; None is no limit."""

    per_second: int | None
    per_minute: int | None

    def seconds(self, requests: int) -> float:
        """How long *requests* take at least."""
        rates = [self.per_second or math.inf, (self.per_minute or math.inf) / 60]
        return requests / min(rates) if math.isfinite(min(rates)) else 0.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle would do: requests by endpoint, parts by task, and the least time by the budget."""

    trading_day: str
    requests: dict[str, int]
    parts: dict[str, int]
    seconds_by_budget: float
    assumes: list[str]

    @property
    def total(self) -> int:
        return sum(self.requests.values())


async def forecast(ctx: PartContext, pace: Pace) -> Forecast:
    """Plan the cycle of *ctx*, without asking anybody, and count what it would ask."""
    parts = await missing_parts(ctx, await files_seen(ctx))
    stages = Counter(part.stage for part in parts)
    requests: Counter[str] = Counter()
    assumes: list[str] = []
    active = await ctx.services.pool.fetchval("SELECT count(*) FROM listed_ticker WHERE is_active")
    if not active:
        active = USUAL_MARKET
        assumes.append(f"a market of {active:,} tickers: none is listed yet")
    requests[Question.GROUPED_DAILY] = stages[sets.STAGE_BARS]
    requests[Question.SPLITS] = stages[sets.STAGE_SPLITS]
    requests[Question.DAY_BAR] = recheck.SAMPLE * stages[sets.STAGE_RECHECK]
    if stages[sets.STAGE_UNIVERSE]:
        requests[Question.TICKERS] = math.ceil(active / LISTING_PAGE)
        assumes.append("no symbol leaves the market (one more listing page when some do)")
    if stages[sets.STAGE_FLOATS]:
        requests[Question.FLOATS] = math.ceil(active / FLOAT_PAGE)
    requests[Question.MARKET_HOLIDAYS] = stages[sets.STAGE_CALENDAR]
    if stages[sets.STAGE_DETAILS] or stages[sets.STAGE_PLAN_DETAILS]:
        requests[Question.TICKER_DETAILS] = await _details(ctx, active)
    if stages[sets.STAGE_SLOTS] or stages[sets.STAGE_PLAN_SLOTS]:
        requests.update(await _slots(ctx, active))
    counted = {str(name): count for name, count in requests.items() if count}
    return Forecast(
        trading_day=ctx.day.isoformat(),
        requests=counted,
        parts=dict(Counter(str(part.task) for part in parts)),
        seconds_by_budget=round(pace.seconds(sum(counted.values())), 1),
        assumes=assumes,
    )


async def _details(ctx: PartContext, active: int) -> int:
    if await coverage.newest(ctx.services.pool, sets.UNIVERSE) is None:
        return active
    return len(await metadata_enrich.due_details(ctx))


async def _slots(ctx: PartContext, active: int) -> dict[str, int]:
    sessions = ctx.sessions(ctx.services.options.slot_sessions)
    if await coverage.newest(ctx.services.pool, sets.UNIVERSE) is None:
        return {Question.RANGE_BARS: active * math.ceil(len(sessions) / SESSIONS_A_REQUEST)}
    missing = await slot_rows.missing_slots(ctx)
    asked = 0
    for days in missing.values():
        between = ctx.services.calendar.trading_days(days[0], days[-1])
        asked += math.ceil(len(between) / SESSIONS_A_REQUEST)
    return {Question.RANGE_BARS: asked}
