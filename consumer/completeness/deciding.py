"""Takes a person's word on a finding or a boundary, with who and why: the commands and HTTP give it alike."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import actions, boundaries, findings
from consumer.postgres.actions import Act, Action
from consumer.postgres.boundaries import Around, Named, State
from consumer.postgres.findings import KeptFinding, Settled
from consumer.tasks.standing import take_aside

if TYPE_CHECKING:
    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Pool


class NothingAside(Exception):
    """The finding is about what stands: there is no other answer to take."""


class NoSuchSeries(Exception):
    """There is no series to cut there; the text says what to give instead."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A boundary as a person names it: the first session of a series, and whether it begins one."""

    symbol: str
    day: dt.date
    state: State


async def accept_finding(pool: Pool, finding_id: int, decision: Decision, *, take_new: bool) -> KeptFinding | None:
    """Settle one finding: what stands is right, or with *take_new* the answer kept aside is; None when it is not open.

    Raises NothingAside.
    """
    settled = Settled(state=findings.State.ACCEPTED, by=decision.by, reason=decision.reason or "")
    async with pool.acquire() as connection, connection.transaction():
        finding = await findings.lock_open(connection, finding_id)
        if finding is None:
            return None
        if not take_new:
            await findings.settle(connection, [finding.finding_id], settled, now=decision.at)
        elif await findings.contested(connection, finding.finding_id) is None:
            raise NothingAside
        else:
            await take_aside(connection, finding, settled, now=decision.at)
        taken = ", the new answer" if take_new else ", what stands"
        about = f"finding {finding.finding_id} of {finding.data_set}, {finding.kind.value}{taken}"
        await actions.note(connection, Action(act=Act.ACCEPT, about=about, trading_day=finding.trading_day), decision)
        return finding


async def decide_boundary(pool: Pool, cut: Cut, decision: Decision) -> bool:
    """Write the word; False where it says nothing new. Raises NoSuchSeries."""
    async with pool.acquire() as connection, connection.transaction():
        bars = await boundaries.around(connection, cut.symbol, cut.day)
        named = Named(symbol=_whose(bars, cut), day=cut.day, evidence=evidence_of(bars))
        return await boundaries.decide(connection, named, cut.state, decision)


def follows(state: State) -> str:
    """What comes of it, in words."""
    if state is State.ACCEPTED:
        return "figures are made of nothing before it, as soon as they are computed anew"
    return "the series goes on across it"


def _whose(bars: Around, cut: Cut) -> str:
    """The symbol that the bar of that day was traded as."""
    if bars.traded_as is not None and bars.last_before is not None:
        return bars.traded_as
    if bars.first_bar is None and bars.last_before is None:
        raise NoSuchSeries(f"{cut.symbol} has no bar at all: give the symbol as `daily_history` has it")
    if bars.last_before is None:
        raise NoSuchSeries(f"{cut.symbol} has no bar before {cut.day}: there is nothing to keep apart")
    nearest = "none since" if bars.first_bar is None else f"its next one is of {bars.first_bar}"
    raise NoSuchSeries(f"{cut.symbol} has no bar of {cut.day}, {nearest}: give the first session of the new series")


def evidence_of(bars: Around) -> str:
    """What the prices around it show, in words."""
    if bars.open_on is None or bars.close_before is None:
        return "a person's word"
    return f"opened at {bars.open_on:.6g}, the close of {bars.last_before} was {bars.close_before:.6g}"
