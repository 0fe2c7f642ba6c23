"""Holds stored sessions against their neighbours, opens what is found, and has each finding checked at once.

Sessions are judged once for the rows that stand, when all bars of the pass are there: a session that is fetched
together with its neighbours has none before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import coverage, findings, ledger, slots
from consumer.postgres.findings import Report, Settled, State
from consumer.postgres.market_window import read_market
from consumer.tasks.standing import SERVICE, stored_sessions, tell_suspect
from contract import data_sets
from market.findings import ABOUT_AN_ANSWER, Finding, Kind
from market.plausibility import denied_volume, judge
from market.same_finding import same_thing

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from consumer.postgres.findings import KeptFinding
    from consumer.postgres.ledger import PartPlan, PartReport
    from consumer.postgres.pool import Connection, Pool
    from consumer.tasks.part import PartContext, Write

AT_ONCE = 30
_SETTLED_ELSEWHERE = ABOUT_AN_ANSWER | {Kind.SLOTS}


async def unjudged(pool: Pool, sessions: Sequence[dt.date]) -> list[dt.date]:
    """Return those of *sessions* whose bars are newer than the judgement on them."""
    rows = await pool.fetch(
        "SELECT b.trading_day FROM coverage AS b LEFT JOIN coverage AS p "
        "ON p.trading_day = b.trading_day AND p.data_set = $2 AND p.fetched_at >= b.fetched_at "
        "WHERE b.data_set = $1 AND b.trading_day = ANY ($3) AND p.trading_day IS NULL ORDER BY b.trading_day",
        data_sets.DAILY_BARS,
        data_sets.PLAUSIBILITY,
        list(sessions),
    )
    return [row["trading_day"] for row in rows]


def recheck_part(day: dt.date) -> PartPlan:
    """Ask about *day* by another way, once its bars have been asked for and judged."""
    return ledger.PartPlan(task="ohlc_daily", part=f"recheck:{day}", payload={"session": day.isoformat()})


async def judge_sessions(ctx: PartContext) -> Write:
    """Judge what has not been judged, and spawn a recheck for each session with a finding that is due for one."""
    judged_at = ctx.services.now()
    days = await unjudged(ctx.services.pool, ctx.sessions(ctx.services.options.ohlc_sessions))
    found = await _judged(ctx, days)
    since = ctx.fresh_since(ctx.day)

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=judged_at, rows=len(days))
        warnings: list[str] = []
        for day in days:
            opened = await _open(connection, day, found.get(day, []), load_id=loaded.load_id, now=judged_at)
            warnings += [f"bars {day}: suspect: {one.reason}" for one in opened]
            await coverage.record_coverage(connection, data_sets.PLAUSIBILITY, day, loaded.counting(len(opened)))
        due = await findings.due_days(
            connection, data_sets.DAILY_BARS, first=ctx.cycle.first_day, last=ctx.day, since=since
        )
        return ledger.PartReport(warnings=tuple(warnings), spawned=tuple(recheck_part(day) for day in due))

    return write


async def hold_against_slots(
    connection: Connection, days: Sequence[dt.date], *, load_id: int, now: dt.datetime
) -> tuple[list[dt.date], list[str]]:
    """Open a finding for sessions whose bars deny volume that the slots have; return those sessions, and lines."""
    opened, lines = [], []
    for day, (symbols, rows) in (await slots.traded_without_volume(connection, days)).items():
        known = await findings.of_session(connection, data_sets.DAILY_BARS, day)
        own = [one for one in known if one.kind is Kind.SLOTS]
        finding = denied_volume(symbols, rows)
        if finding is None:
            over = Settled(state=State.CLEARED, by=SERVICE, reason="bars and slots agree again")
            await findings.settle(connection, [one.finding_id for one in own], over, now=now)
        elif not _settled(own, finding):
            await findings.report(
                connection, data_sets.DAILY_BARS, day, Report(finding=finding, load_id=load_id, now=now)
            )
            if not any(one.state is State.OPEN for one in own):
                tell_suspect(day, finding)
                opened.append(day)
            lines.append(f"bars {day}: suspect: {finding.reason}")
    return opened, lines


def _settled(known: Sequence[KeptFinding], found: Finding) -> bool:
    return any(one.state is not State.OPEN and same_thing(one.finding, found) for one in known)


async def _judged(ctx: PartContext, days: Collection[dt.date]) -> dict[dt.date, list[Finding]]:
    """Judge *days*, some at a time, the newest last: a backfill may bring years."""
    found: dict[dt.date, list[Finding]] = {}
    ordered = sorted(days)
    for at in range(0, len(ordered), AT_ONCE):
        some = ordered[at : at + AT_ONCE]
        stored = await stored_sessions(ctx.services.pool, some)
        market = await read_market(ctx.services.pool, data_sets.DAILY_BARS, some, ctx.services.calendar, stored=stored)
        market = msgspec.structs.replace(market, suspect=market.suspect | found.keys())
        found |= await asyncio.to_thread(judge, market, some)
    return found


async def _open(
    connection: Connection, day: dt.date, found: Sequence[Finding], *, load_id: int, now: dt.datetime
) -> list[Finding]:
    """Open what is not settled for these rows, and clear what is found no more."""
    known = await findings.of_session(connection, data_sets.DAILY_BARS, day)
    opened = [one for one in found if not _settled(known, one)]
    for one in opened:
        await findings.report(connection, data_sets.DAILY_BARS, day, Report(finding=one, load_id=load_id, now=now))
        tell_suspect(day, one)
    kinds = {one.kind for one in opened} | _SETTLED_ELSEWHERE
    over = [one.finding_id for one in known if one.state is State.OPEN and one.kind not in kinds]
    reason = Settled(state=State.CLEARED, by=SERVICE, reason="held against its neighbours again: nothing is found")
    await findings.settle(connection, over, reason, now=now)
    return opened
