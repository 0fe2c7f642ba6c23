"""The dividends: listed by the vendor in one request, held against the overnight prices, turned into factors.

A factor is of an ex-day, and raw rows stay as they are: a dividend that is listed late, corrected or taken back
rewrites its own row and no bar.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.postgres import coverage, dividend_factors, dividend_prices, dividends, holes, ledger
from consumer.tasks.dividend_judgement import could_show, judge
from consumer.tasks.dividend_list import DividendList, refuse_a_cut, told_of, weigh
from consumer.tasks.part import Came
from consumer.tasks.set_aside import rejected_warnings
from contract import data_sets
from market.dividend_check import Sight
from market.dividends import NO_CURRENCY, UNNAMED_KIND, Dividend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.dividend_prices import AroundExDay
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.dividend_judgement import Judged
    from consumer.tasks.part import PartContext, Write
    from consumer.vendor.rows import DividendRow
    from market.trading_calendar import TradingCalendar

AHEAD = dt.timedelta(days=7)
_ONE_DAY = dt.timedelta(days=1)
_NAMED = 5


async def load_dividends(ctx: PartContext) -> Write:
    """The dividends of all stored sessions and of the week ahead. No dividend at all is a possible answer.

    One that the vendor lists no more goes here too, unless the price shows it.
    """
    since = dt.date.fromisoformat(ctx.payload["since"])
    fetched_at = ctx.services.now()
    until = max(ctx.day, ctx.services.calendar.last_completed(fetched_at)) + AHEAD
    sieve = ctx.sieve()
    rows = await ctx.services.vendor.list_dividends(since, until, sieve=sieve)
    listed = DividendList(rows=[_dividend(row) for row in rows], set_aside=sieve.set_aside, since=since, until=until)
    present = await ctx.present_day(fetched_at)

    async def write(connection: Connection) -> PartReport:
        stored = await dividends.read_stored(connection, since=since, until=until)
        refuse_a_cut(len(stored), listed)
        came = Came(at=fetched_at, rows=len(rows), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.DIVIDENDS, present, came)
        weighed = weigh(stored, listed)
        await dividends.withdraw_dividends(connection, weighed.gone, load_id=loaded.load_id)
        await dividends.upsert_dividends(connection, listed.rows, load_id=loaded.load_id, now=fetched_at)
        detail = {"since": since.isoformat()}
        await coverage.record_coverage(connection, data_sets.DIVIDENDS, present, loaded, detail=detail)
        warnings = (*rejected_warnings("dividends", sieve.rejected), *weighed.told)
        return ledger.PartReport(rows=len(rows), warnings=warnings)

    return write


def _dividend(row: DividendRow) -> Dividend:
    return Dividend(
        symbol=row.ticker,
        ex_day=row.ex_dividend_date,
        amount=row.cash_amount,
        currency=(row.currency or NO_CURRENCY).upper(),
        kind=row.distribution_type or UNNAMED_KIND,
        declared_day=row.declaration_date,
        record_day=row.record_date,
        pay_day=row.pay_date,
        frequency=row.frequency,
        vendor_id=row.id,
    )


async def check_dividends(ctx: PartContext) -> Write:
    """Say of every dividend whose it is and whether its price shows it, and what each ex-day takes off the closes.

    Only what may have changed since the last check is looked at; whose a symbol is, is settled by then.
    """
    checked_at = ctx.services.now()

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=checked_at, rows=0)
        await dividends.assign_companies(connection)
        again = await dividend_prices.changed_since_check(connection)
        around = await dividend_prices.read_around(connection, again, up_to=ctx.day)
        judged = await _judged(connection, around, ctx.services.calendar)
        await dividends.store_sights(connection, [seen for one in judged for seen in one.sights])
        await dividend_factors.store_factors(connection, [one.ex_day for one in judged], load_id=loaded.load_id)
        counted = loaded.counting(len(judged))
        await coverage.record_coverage(connection, data_sets.DIVIDEND_CHECK, ctx.day, counted)
        return ledger.PartReport(rows=len(judged), warnings=_told(judged))

    return write


async def _judged(connection: Connection, around: Sequence[AroundExDay], calendar: TradingCalendar) -> list[Judged]:
    unknown = await _across_a_hole(connection, around, calendar)
    large = [
        (one.company, one.ex_day)
        for one in around
        if could_show(one, close_is_known=(one.company, one.ex_day) not in unknown)
    ]
    nights = await dividend_prices.read_nights(connection, large)
    return [
        judge(
            one,
            nights.get((one.company, one.ex_day), ()),
            close_is_known=(one.company, one.ex_day) not in unknown,
        )
        for one in around
    ]


async def _across_a_hole(
    connection: Connection, around: Sequence[AroundExDay], calendar: TradingCalendar
) -> set[tuple[str, dt.date]]:
    """Those (company, ex-day) whose last close before is not that of the day before: something between them lacks.

    A session in which a share did not trade is no hole, and the close before it stands.
    """
    with_bars = [one for one in around if one.day_before is not None]
    if not with_bars:
        return set()
    since, up_to = min(one.day_before for one in with_bars if one.day_before), max(one.ex_day for one in with_bars)
    proven = await coverage.proven_days(connection, data_sets.DAILY_BARS, since=since, up_to=up_to)
    own = await holes.of_symbols(connection, since=since, up_to=up_to)
    found = set()
    for one in with_bars:
        first, last = (one.day_before or up_to) + _ONE_DAY, one.ex_day - _ONE_DAY
        between = set(calendar.trading_days(first, last)) if first <= last else set()
        if not between <= proven or not between.isdisjoint(own.get(one.company, ())):
            found.add((one.company, one.ex_day))
    return found


def _told(judged: Sequence[Judged]) -> tuple[str, ...]:
    """A line for each dividend that its price does not show, and one for each other kind that is not applied."""
    lines = [_not_shown(one, each) for one in judged for each in one.with_sight(Sight.NOT_SHOWN)]
    others = [f"dividends: {len(lines) - _NAMED} more are not shown by their price"] if len(lines) > _NAMED else []
    foreign = [each for one in judged for each in one.foreign]
    unknown = [one.sights[0][0] for one in judged if one.ex_day.factor is None and not one.is_first]
    return (
        *lines[:_NAMED],
        *others,
        *told_of("are not applied, as they are not paid in USD", foreign),
        *told_of("have no close right before their ex-day: total-return closes before it are not known", unknown),
    )


def _not_shown(one: Judged, dividend: Dividend) -> str:
    said = f"dividends: {dividend} is not applied: "
    close = one.ex_day.close_before
    if one.ratio is None or close is None:
        return said + "no price around that morning shows it"
    should = max(0.0, 1.0 - dividend.amount / close)
    return said + f"the price went to {one.ratio:.3g} of the close before, not to {should:.3g}"
