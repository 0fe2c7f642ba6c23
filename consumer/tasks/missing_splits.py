"""Weighs the stored splits that a list of splits lacks: what the overnight price shows outranks one list.

A split is taken back where the price does not show it, or shows the same ratio on the day that is listed now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import split_prices, splits, trading_evidence
from consumer.vendor.rows import SetAside
from market.split_check import OvernightPrices, Proof, is_same_ratio, proofs_of
from market.splits import Split

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

# A split whose date is corrected moves by no more.
NEAR = dt.timedelta(days=10)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A split that stays though the list lacks it; without a reason there is nothing to tell yet."""

    split: Split
    reason: str = ""

    def __str__(self) -> str:
        return f"splits: {self.split.symbol} {self.split.execution_day} is missing in the list, and kept: {self.reason}"


class SplitList(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor lists for the days *since*…*until*, and what of that could not be read."""

    rows: Sequence[Split]
    set_aside: Sequence[SetAside]
    since: dt.date
    until: dt.date

    @property
    def may_have_lost(self) -> Collection[str | None]:
        """The symbols of which a whole row was set aside; None: of one that nobody knows."""
        return {one.symbol for one in self.set_aside if one.field is None}


class _Weighed(msgspec.Struct, frozen=True, kw_only=True):
    company: str
    split: Split
    proof: Proof
    prices: OvernightPrices | None


async def weigh_missing(connection: Connection, listed: SplitList, *, day: dt.date) -> list[Kept]:
    """Return which of those stored for its days stay, though *listed* lacks them; *day* is the session's."""
    missing = await splits.read_missing(connection, listed.rows, since=listed.since, until=listed.until)
    if not missing:
        return []
    weighed = await _weighed(connection, day)
    newest = await trading_evidence.newest_session(connection)
    unread = listed.may_have_lost
    found = []
    for split, stored in missing:
        awaits_bars = newest is not None and newest < split.execution_day <= day
        if split.symbol in unread or None in unread:
            found.append(Kept(split=split, reason="a row that may be its was set aside"))
        elif _has_moved(split, listed.rows, weighed):
            continue
        elif stored is Proof.CONFIRMED or any(_shows(one, split) for one in weighed):
            found.append(Kept(split=split, reason="the price shows it"))
        elif awaits_bars and not any(_is_moved_to(split, other) for other in listed.rows):
            found.append(Kept(split=split))
    return found


async def _weighed(connection: Connection, day: dt.date) -> list[_Weighed]:
    return [
        _Weighed(company=group.company, split=split, proof=proof, prices=group.prices)
        for group in await split_prices.read_listed(connection, up_to=day)
        for split, proof in zip(group.splits, proofs_of(group.splits, group.prices), strict=True)
    ]


def _shows(one: _Weighed, split: Split) -> bool:
    return one.split == split and one.proof is Proof.CONFIRMED


def _is_moved_to(split: Split, other: Split) -> bool:
    near = abs(split.execution_day - other.execution_day) <= NEAR
    return other.symbol == split.symbol and near and is_same_ratio(split, other)


def _has_moved(split: Split, listed: Sequence[Split], weighed: Sequence[_Weighed]) -> bool:
    """Whether the price shows it on another day that is listed; one jump is one split."""
    others = [other for other in listed if _is_moved_to(split, other)]
    shown = [one for one in weighed if one.proof is Proof.CONFIRMED and one.split in others]
    own = [one for one in weighed if _shows(one, split)]
    return any(not own or any(one.prices == mine.prices for mine in own) for one in shown)
