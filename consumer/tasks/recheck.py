"""Asks about a suspect session by another way, and lets what agrees with that settle its findings.

The vendor's flat file where there is one, else its custom bars of some thirty symbols: those that a finding names, or
the most traded of every exchange. What agrees with neither what stands nor what was kept aside settles nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

from consumer.postgres import findings, ledger, samples, slots
from consumer.postgres.findings import Contested, KeptFinding, Settled, State
from consumer.tasks.answers import Standing, bars_of
from consumer.tasks.part import bounded_gather
from consumer.tasks.standing import read_standing, take_aside
from consumer.vendor.errors import BadAnswer, NotYetPublished, OutOfTime, ProviderUnavailable, VendorError
from consumer.vendor.protocol import FlatFileKind
from contract import data_sets
from market.contradiction import AGREEING_SAMPLE, IMPLAUSIBLE, alike_symbols
from market.findings import Kind
from market.session_bars import SessionBars
from market.symbols import listed_spellings

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write
    from consumer.vendor.rows import DailyRow

SAMPLE = 30
ENOUGH = 10


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What another way says: the bars it has, of the symbols that it was asked for (None: of all)."""

    source: str
    bars: SessionBars
    asked: frozenset[str] | None

    @property
    def is_another_product(self) -> bool:
        """Custom bars are made of the data of the grouped day: they tell a slip in the answer, not one in the data.

        So they do not put a market that its neighbours deny in place of one that they do not.
        """
        return self.asked is None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says about one finding: settled for what stands or for the other answer, or neither."""

    finding: KeptFinding
    compared: int
    stands: float
    aside: float | None
    keep: bool = False
    take: bool = False
    rows: frozenset[str] = frozenset()  # single rows to take

    def as_json(self, source: str) -> dict[str, Any]:
        return {
            "source": source,
            "compared": self.compared,
            "agree_with_what_stands": self.stands,
            "agree_with_the_other": self.aside,
        }


async def recheck(ctx: PartContext) -> Write:
    """Hold the open findings of one session against independent evidence, each once a due time."""
    day = dt.date.fromisoformat(ctx.payload["session"])
    rechecked_at = ctx.services.now()
    due = await _due(ctx, ctx.services.pool, day)
    evidence = await _evidence(ctx, day, due) if due else None

    async def write(connection: Connection) -> PartReport:
        standing = await read_standing(connection, day, ctx.services.calendar)
        if evidence is None or standing is None:
            gone = [one.finding_id for one in await _due(ctx, connection, day)]
            await findings.mark_rechecked(connection, gone, now=rechecked_at, seen={"source": None})
            return ledger.PartReport()
        await ctx.note_load(connection, at=rechecked_at, rows=len(evidence.bars), source=evidence.source)
        lines = []
        for finding in await _due(ctx, connection, day):
            outcome = weigh_evidence(finding, standing, standing.aside.get(finding.finding_id), evidence)
            lines.append(await _settle(connection, day, outcome, evidence.source, now=rechecked_at))
        return ledger.PartReport(rows=len(evidence.bars), warnings=tuple(lines))

    return write


async def _due(ctx: PartContext, connection: Any, day: dt.date) -> list[KeptFinding]:
    since = ctx.fresh_since(ctx.day)
    kept = await findings.of_session(connection, data_sets.DAILY_BARS, day)
    return [one for one in kept if one.state is State.OPEN and (one.rechecked_at is None or one.rechecked_at < since)]


def weigh_evidence(finding: KeptFinding, standing: Standing, aside: Contested | None, evidence: Evidence) -> Outcome:
    """Say for whom the evidence speaks."""
    if finding.kind is Kind.ROWS and aside is not None:
        return _weigh_rows(finding, standing, aside, evidence)
    named = frozenset(finding.symbols or (standing.bars.symbols if evidence.asked is None else evidence.asked))
    told = named if evidence.asked is None else named & evidence.asked
    stands = _share(standing.bars, evidence.bars, told, final=standing.final)
    other = None if aside is None else _share(bars_of(aside.rows), evidence.bars, told, final=standing.final)
    enough = len(told) >= min(ENOUGH, len(named)) > 0
    for_stands = enough and stands >= AGREEING_SAMPLE
    for_other = enough and other is not None and other >= AGREEING_SAMPLE
    return Outcome(
        finding=finding,
        compared=len(told),
        stands=stands,
        aside=other,
        keep=for_stands and not for_other,
        take=for_other and not for_stands and _may_take(finding, standing, evidence),
    )


def _may_take(finding: KeptFinding, standing: Standing, evidence: Evidence) -> bool:
    """Where the neighbours deny both, custom bars that agree with one of them are the best there is."""
    plausible = not finding.evidence.get(IMPLAUSIBLE)
    return evidence.is_another_product or plausible or bool(standing.open_about_prices)


def _share(side: SessionBars, said: SessionBars, symbols: frozenset[str], *, final: bool) -> float:
    """How many agree; while the session goes on its volumes grow between two questions."""
    return len(_alike(side, said, symbols, same_volume=final)) / len(symbols) if symbols else 0.0


def _alike(side: SessionBars, said: SessionBars, symbols: frozenset[str], *, same_volume: bool) -> frozenset[str]:
    """Those of *symbols* about which both say the same: a like row, or that there is none."""
    ordered = sorted(symbols)
    rows = alike_symbols(side.only(ordered), said.only(ordered), same_volume=same_volume)
    return rows | (symbols - set(side.symbols) - set(said.symbols))


def _weigh_rows(finding: KeptFinding, standing: Standing, aside: Contested, evidence: Evidence) -> Outcome:
    """Row by row: every one must agree with one side, and not with the other, before the finding is settled."""
    named = frozenset(finding.symbols)
    told = named if evidence.asked is None else named & evidence.asked
    kept = _alike(standing.bars, evidence.bars, told, same_volume=True)
    other = _alike(bars_of(aside.rows), evidence.bars, told, same_volume=True)
    settled = kept ^ other == named
    return Outcome(
        finding=finding,
        compared=len(told),
        stands=len(kept) / len(named),
        aside=len(other) / len(named),
        keep=settled and not other,
        take=settled and bool(other),
        rows=other,
    )


async def _settle(connection: Connection, day: dt.date, outcome: Outcome, source: str, *, now: dt.datetime) -> str:
    finding = outcome.finding
    await findings.mark_rechecked(connection, [finding.finding_id], now=now, seen=outcome.as_json(source))
    if outcome.take:
        settled = _by(source, outcome, "the answer that was kept aside")
        changed = await take_aside(connection, finding, settled, now=now, symbols=outcome.rows)
        return f"bars {day}: {changed} rows taken after all: {settled.reason}"
    if outcome.keep:
        settled = _by(source, outcome, "what stands")
        await findings.settle(connection, [finding.finding_id], settled, now=now)
        return f"bars {day}: suspect no more: {settled.reason}"
    share = "" if outcome.aside is None else f" and {outcome.aside:.0%} with the other answer"
    seen = f"{outcome.compared} rows of {source} agree to {outcome.stands:.0%} with what stands{share}"
    logger.error(
        "session_stays_suspect",
        session=str(day),
        finding=finding.finding_id,
        kind=str(finding.kind),
        reason=finding.reason,
        seen=seen,
        runbook="suspect-session",
    )
    return f"bars {day}: suspect: {finding.reason}; {seen}"


def _by(source: str, outcome: Outcome, what: str) -> Settled:
    return Settled(state=State.CLEARED, by=source, reason=f"{outcome.compared} rows of {source} agree with {what}")


# Evidence


async def _evidence(ctx: PartContext, day: dt.date, due: list[KeptFinding]) -> Evidence:
    rows = await _rows_of_file(ctx, day)
    if rows is not None:
        return Evidence(source=ctx.provenance("flat_files"), bars=bars_of(await _as_listed(ctx, rows)), asked=None)
    named = [symbol for one in due for symbol in one.symbols]
    if any(not one.symbols for one in due) or not named:
        named += await samples.most_traded(ctx.services.pool, day, most=SAMPLE)
    return await _custom_bars(ctx, day, list(dict.fromkeys(named))[: 4 * SAMPLE])


async def _rows_of_file(ctx: PartContext, day: dt.date) -> list[DailyRow] | None:
    """The day's file; None where there is none that can be used: then custom bars are asked."""
    if ctx.services.flat_files is None:
        return None
    try:
        found = await ctx.services.flat_files.fetch(FlatFileKind.DAY, day)
        return (await asyncio.to_thread(found.day_bars, day)).rows
    except NotYetPublished:
        return None
    except (VendorError, OSError) as error:
        logger.info("flat_file_is_no_evidence", session=str(day), reason=str(error))
        return None


async def _custom_bars(ctx: PartContext, day: dt.date, symbols: list[str]) -> Evidence:
    spellings = await slots.market_data_symbols(ctx.services.pool, symbols)
    asked = [ctx.services.vendor.daily_bar(spellings.get(symbol, symbol), day) for symbol in symbols]
    answers = await bounded_gather(asked, at_once=ctx.services.options.requests_at_once, until=ctx.ask_until())
    rows, told = [], set()
    for symbol, answer in zip(symbols, answers, strict=True):
        if isinstance(answer, VendorError):
            if isinstance(answer, ProviderUnavailable) and not isinstance(answer, BadAnswer | OutOfTime):
                raise answer  # it may answer later
            continue  # no evidence: not part of the plan, an unknown path, an answer to another question
        told.add(symbol)
        if answer is not None:
            rows.append(msgspec.structs.replace(answer, T=symbol))
    if late := sum(isinstance(answer, OutOfTime) for answer in answers):
        raise OutOfTime(f"{late} of {len(symbols)} custom bars did not come in time: too few tell nothing of a market")
    return Evidence(source=ctx.provenance("custom_bars"), bars=bars_of(rows), asked=frozenset(told))


async def _as_listed(ctx: PartContext, rows: list[DailyRow]) -> list[DailyRow]:
    listed = await ctx.services.pool.fetchval(
        "SELECT coalesce(array_agg(symbol), '{}') FROM listed_ticker WHERE is_active"
    )
    spellings = listed_spellings(listed)
    return [msgspec.structs.replace(row, T=spellings.get(row.T, row.T)) for row in rows]
