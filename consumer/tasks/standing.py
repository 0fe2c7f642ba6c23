"""Reads what stands of a session, and writes what became of an answer that was weighed against it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.postgres import bars, coverage, evidence, findings
from consumer.postgres.coverage import Loaded
from consumer.postgres.findings import Contested, KeptFinding, Report, Settled, State
from consumer.postgres.market_window import read_market, read_session_bars, totals_of
from consumer.tasks.answers import Leave, Refuse, Standing, Take, bars_of
from contract import data_sets
from market.findings import Finding, Kind
from market.plausibility import judge
from market.schedule import final_at

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.tasks.part import PartContext
    from consumer.vendor.rows import DailyRow
    from market.market_table import Market
    from market.trading_calendar import TradingCalendar

SERVICE = "the service"
_AROUND = dt.timedelta(days=45)


async def stored_sessions(pool: Pool, days: Collection[dt.date]) -> list[dt.date]:
    """Return the sessions with bars around *days*."""
    rows = await pool.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND trading_day BETWEEN $2 AND $3 ORDER BY trading_day",
        data_sets.DAILY_BARS,
        min(days) - _AROUND,
        max(days) + _AROUND,
    )
    return [row["trading_day"] for row in rows]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What its neighbours say against an answer, and the exchange of each symbol."""

    found: list[Finding] = []
    exchange_of: Mapping[str, str] = {}


async def implausible(ctx: PartContext, day: dt.date, rows: Sequence[DailyRow]) -> Judged:
    """Hold an answer about *day* against the stored sessions around it. A first answer is judged once it stands."""
    stored = await stored_sessions(ctx.services.pool, [day])
    if day not in stored:
        return Judged()
    calendar = ctx.services.calendar
    market = await read_market(ctx.services.pool, data_sets.DAILY_BARS, [day], calendar, stored=stored)
    answered = _with_answer(market, day, rows, calendar)
    found = (await asyncio.to_thread(judge, answered, [day])).get(day, [])
    return Judged(found=found, exchange_of=market.exchange_of)


def _with_answer(market: Market, day: dt.date, rows: Sequence[DailyRow], calendar: TradingCalendar) -> Market:
    own = bars_of(rows)
    totals = totals_of(own, market.exchange_of, early_close=calendar.session(day).early_close)
    return msgspec.structs.replace(
        market, sessions={**market.sessions, day: own}, totals={**market.totals, day: totals}
    )


async def read_standing(connection: Connection, day: dt.date, calendar: TradingCalendar) -> Standing | None:
    """Return what stands of *day*; None where nothing does."""
    known = await coverage.covered_on(connection, data_sets.DAILY_BARS, day)
    stands = await read_session_bars(connection, day)
    if known is None or stands is None:
        return None
    kept = await findings.of_session(connection, data_sets.DAILY_BARS, day)
    aside: dict[int, Contested] = {}
    for one in kept:
        if (contested := await findings.contested(connection, one.finding_id)) is not None:
            aside[one.finding_id] = contested
    return Standing(
        bars=stands,
        final=known.fetched_at >= final_at(calendar.session(day)),
        fetched_at=known.fetched_at,
        findings=kept,
        aside=aside,
    )


async def note_fate(
    connection: Connection, day: dt.date, fate: Take | Refuse | Leave, rows: Sequence[DailyRow], loaded: Loaded
) -> None:
    """Settle what the answer settles, and open what it opens; the bars themselves are the caller's."""
    now = loaded.fetched_at
    match fate:
        case Take():
            for cleared in fate.cleared:
                settled = Settled(state=State.CLEARED, by=SERVICE, reason=cleared.reason)
                await findings.settle(connection, cleared.ids, settled, now=now)
            if fate.other_rows:
                await findings.rows_replaced(connection, data_sets.DAILY_BARS, day, now=now)
            aside = fate.aside
        case Refuse():
            aside = Contested(rows=list(rows))
        case Leave():
            return
    if fate.finding is not None:
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            day,
            Report(finding=fate.finding, load_id=loaded.load_id, now=now, contested=aside, contested_at=now),
        )
        tell_suspect(day, fate.finding)


def tell_suspect(day: dt.date, finding: Finding) -> None:
    """Say in the log that a session is suspect."""
    logger.warning(
        "session_suspect",
        session=str(day),
        kind=str(finding.kind),
        reason=finding.reason,
        symbols=list(finding.symbols[:10]),
        runbook="suspect-session",
    )


async def take_aside(
    connection: Connection, finding: KeptFinding, settled: Settled, *, now: dt.datetime, symbols: Collection[str] = ()
) -> int:
    """Put the answer that was kept aside in place, of single rows only those of *symbols*, and settle its finding.

    Returns how many rows stand otherwise now; those of before are kept as restatements. What is
    computed from bars is stale then: see data_sets.TAKEN.
    """
    aside = await findings.contested(connection, finding.finding_id)
    if aside is None:
        raise ValueError(f"finding {finding.finding_id} is about what stands: there is no other answer to take")
    day = finding.trading_day
    before = await bars.read_session(connection, day)
    if finding.kind is Kind.ROWS:
        rows = [row for row in aside.rows if not symbols or row.T in symbols]
        gone = [symbol for symbol in aside.gone if not symbols or symbol in symbols]
        await bars.replace_rows(connection, day, rows, gone, load_id=finding.load_id)
    else:
        await bars.replace_bars(connection, day, aside.rows, load_id=finding.load_id)
        others = await findings.of_session(connection, data_sets.DAILY_BARS, day)
        await findings.settle(connection, [one.finding_id for one in others], settled, now=now)
        await findings.rows_replaced(connection, data_sets.DAILY_BARS, day, now=now)
    await findings.settle(connection, [finding.finding_id], settled, now=now)
    changed = evidence.changes_of(before, await bars.read_session(connection, day))
    await evidence.keep_restatements(connection, data_sets.DAILY_BARS, day, changed, load_id=finding.load_id, now=now)
    await _cover_taken(connection, finding, now=now)
    return len(changed)


async def _cover_taken(connection: Connection, finding: KeptFinding, *, now: dt.datetime) -> None:
    """Of single rows the load that stands remains, with the holes that it has; of a whole answer its own load does."""
    day = finding.trading_day
    count = await bars.count_bars(connection, day)
    known = await coverage.covered_on(connection, data_sets.DAILY_BARS, day)
    fetched_at = finding.contested_at or now
    if known is not None:
        fetched_at = max(known.fetched_at, fetched_at)
    if finding.kind is Kind.ROWS and known is not None:
        await coverage.confirm(connection, data_sets.DAILY_BARS, day, fetched_at=fetched_at, rows=count)
    else:
        detail = {} if known is None else known.detail
        await coverage.record_coverage(
            connection,
            data_sets.DAILY_BARS,
            day,
            Loaded(load_id=finding.load_id, fetched_at=fetched_at, rows=count),
            detail={**detail, "finding": finding.finding_id},
        )
    taken = Loaded(load_id=finding.load_id, fetched_at=now, rows=count)
    for data_set in (data_sets.TAKEN, data_sets.PLAUSIBILITY):
        await coverage.record_coverage(connection, data_set, day, taken)
