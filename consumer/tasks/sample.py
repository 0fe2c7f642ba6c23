"""The weekly sample: a hundredth of what is stored is fetched again and compared; what differs is brought in order.

A session of bars that the vendor gives otherwise is asked for by its ordinary part, which weighs, keeps and tells;
slots that differ are weighed here as a batch's are. Which of them is chosen follows from the week, so a redelivery and
the next pass ask for the same.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from consumer.postgres import bars, capabilities, coverage, evidence, ledger, proven_slots, sampled_rechecks, slots
from consumer.postgres.sampled_rechecks import Compared
from consumer.tasks import ohlc_daily, slot_rows, volume_slots
from consumer.tasks.part import bounded_gather
from consumer.tasks.slot_weighing import weigh_slots
from consumer.vendor.errors import BadAnswer, ProviderUnavailable, VendorError
from contract import data_sets
from market.weekly_sample import Candidates, week_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.postgres.proven_slots import StoredSlots
    from consumer.postgres.slots import SlotDay
    from consumer.tasks.part import PartContext, Write
    from consumer.tasks.terms import Terms
    from consumer.vendor.rows import DailyRow, GroupedDaily

_T = TypeVar("_T")
_KINDS = {data_sets.DAILY_BARS, data_sets.VOLUME_SLOTS}


async def read_candidates(connection: Connection, terms: Terms) -> Candidates:
    """Read what this week's sample can be of. Wants a repeatable-read transaction."""
    week = week_of(terms.day)
    if terms.is_backfill or budget(terms) == 0:
        return Candidates()
    taken = await sampled_rechecks.taken(connection, week)
    if taken is None or taken >= _KINDS:
        return Candidates()
    out_of_window = terms.sessions(terms.options.slot_sessions)[0]  # those in it are asked for, and proven, by others
    by_range = not await capabilities.is_lacking(connection, slot_rows.RANGE_BARS)
    return Candidates(
        sessions=await sampled_rechecks.fetched_before(connection, week),
        slot_sessions=await sampled_rechecks.with_slots(connection, before=out_of_window) if by_range else [],
        symbols=await sampled_rechecks.listed(connection),
        bars_taken=data_sets.DAILY_BARS in taken,
        slots_taken=data_sets.VOLUME_SLOTS in taken,
    )


def budget(terms: Terms) -> int:
    """How many requests a week's sample may cost: on a slow plan a tenth of what a pass may ask."""
    most, a_pass = terms.options.sample_requests, terms.options.requests_a_pass
    return most if a_pass is None else min(most, a_pass // 10)


async def compare_bars(ctx: PartContext) -> Write:
    """Fetch the sampled sessions again and count what differs; a session that does is asked for by its own part."""
    days = [dt.date.fromisoformat(day) for day in ctx.payload["sessions"]]
    at = ctx.services.now()
    outcomes = [await _bars_of(ctx, *each) for each in zip(days, await _sessions_again(ctx, days), strict=True)]
    came = {day: rows for day, rows in zip(days, _answered(outcomes), strict=True) if rows is not None}

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=at, rows=sum(map(len, came.values())), source="sample")
        found = []
        for day in days:
            before = await bars.read_session(connection, day) if day in came else {}
            after = {row.T: (row.o, row.h, row.l, row.c, row.v, row.vw, row.n) for row in came.get(day, ())}
            differed = len(evidence.changes_of(before, after))
            found.append(_compared(data_sets.DAILY_BARS, day, len(before.keys() | after.keys()), differed))
        await sampled_rechecks.keep(connection, week_of(ctx.day), found, loaded)
        await coverage.record_coverage(connection, data_sets.SAMPLE, ctx.day, loaded)
        again = tuple(_ordinary(one.day) for one in found if one.differed)
        return ledger.PartReport(rows=loaded.rows, spawned=again, warnings=(*_told(found), *_lost(outcomes)))

    return write


async def compare_slots(ctx: PartContext) -> Write:
    """Fetch the sampled stretches of slots again; rows that differ are weighed, and restated where they may be."""
    wanted = {symbol: _days(ctx, *ends) for symbol, ends in ctx.payload["stretches"].items()}
    fetched_at, sieve = ctx.services.now(), ctx.sieve()
    spellings = await slots.market_data_symbols(ctx.services.pool, list(wanted))
    questions = [volume_slots.fetch(ctx, symbol, days, spellings, sieve) for symbol, days in wanted.items()]
    outcomes = await bounded_gather(questions, at_once=ctx.services.options.requests_at_once, until=ctx.ask_until())
    came = [row for answer in _answered(outcomes) for row in answer or () if row.outcome != "unproven"]

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=fetched_at, rows=len(came), source="sample")
        days = sorted({row.day for row in came})
        stored = await proven_slots.read_rows(connection, days, list(wanted)) if came else {}
        compared = [row for row in came if (row.day, row.symbol) in stored]
        other = [row for row in compared if _is_other(row, stored[row.day, row.symbol])]
        # Trades that nobody had said are no difference, and are kept all the same.
        first = [row for row in compared if row.trades is not None and stored[row.day, row.symbol].trades is None]
        fresh = {(row.day, row.symbol): row for row in (*other, *first)}
        weighed = await weigh_slots(connection, ctx, list(fresh.values()), loaded)
        await slot_rows.keep_restated(connection, ctx, weighed.rows, load_id=loaded.load_id)
        await slots.write_slots(connection, weighed.rows, fetched_at=fetched_at, load_id=loaded.load_id)
        found = _by_day(compared, other, days or [_days(ctx, *next(iter(ctx.payload["stretches"].values())))[0]])
        await sampled_rechecks.keep(connection, week_of(ctx.day), found, loaded)
        await coverage.record_coverage(connection, data_sets.SAMPLE, ctx.day, loaded)
        return ledger.PartReport(rows=len(came), warnings=(*weighed.warnings, *_told(found), *_lost(outcomes)))

    return write


async def _sessions_again(ctx: PartContext, days: Sequence[dt.date]) -> list[GroupedDaily | VendorError]:
    questions = [ctx.services.vendor.grouped_daily(day) for day in days]
    at_once, until = ctx.services.options.requests_at_once, ctx.ask_until()
    return await bounded_gather(questions, at_once=at_once, until=until)


def _answered(outcomes: Sequence[_T | VendorError]) -> list[_T | None]:
    """The answers; None where one did not come, or is none: what came is compared, and the rest is not asked again.

    Raises where the vendor is away altogether: a later try is of the same sample.
    """
    away = [one for one in outcomes if isinstance(one, ProviderUnavailable) and not isinstance(one, BadAnswer)]
    if away and len(away) == len(outcomes):
        raise away[0]
    return [None if isinstance(outcome, VendorError) else outcome for outcome in outcomes]


async def _bars_of(ctx: PartContext, day: dt.date, answer: GroupedDaily | VendorError) -> list[DailyRow] | VendorError:
    try:
        return answer if isinstance(answer, VendorError) else (await ohlc_daily.sift(ctx, day, answer)).rows
    except BadAnswer as error:
        return error


def _lost(outcomes: Sequence[_T | VendorError]) -> tuple[str, ...]:
    """Say how much of the sample was not compared, and why the first of it."""
    errors = [one for one in outcomes if isinstance(one, VendorError)]
    return (f"sample: {len(errors)} of {len(outcomes)} answers did not come: {errors[0]}",) if errors else ()


def _days(ctx: PartContext, first: str, last: str) -> list[dt.date]:
    return list(ctx.services.calendar.trading_days(dt.date.fromisoformat(first), dt.date.fromisoformat(last)))


def _is_other(row: SlotDay, stands: StoredSlots) -> bool:
    volumes = None if row.volumes is None else row.volumes.tolist()
    said = row.trades is not None and stands.trades is not None
    return volumes != stands.volumes or (said and not np.array_equal(row.trades, stands.trades))  # type: ignore[arg-type]


def _compared(data_set: str, day: dt.date, rows: int, differed: int) -> Compared:
    return Compared(data_set=data_set, day=day, compared=rows, differed=differed)


def _by_day(compared: Sequence[SlotDay], other: Sequence[SlotDay], days: Sequence[dt.date]) -> list[Compared]:
    return [
        _compared(
            data_sets.VOLUME_SLOTS,
            day,
            sum(row.day == day for row in compared),
            sum(row.day == day for row in other),
        )
        for day in days
    ]


def _ordinary(day: dt.date) -> ledger.PartPlan:
    return ledger.PartPlan(task="ohlc_daily", part=f"bars:{day}", payload={"session": day.isoformat()})


def _told(found: Sequence[Compared]) -> tuple[str, ...]:
    differed = sum(one.differed for one in found)
    if not differed:
        return ()
    compared = sum(one.compared for one in found)
    return (f"sample: {differed} of {compared} {found[0].data_set} rows fetched again are otherwise by now",)
