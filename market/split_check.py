"""Holds listed splits against the overnight price ratio before they count.

The vendor's splits come late, twice, with other ratios, and for shares that never split. A split of f old for t new
shares makes the raw price jump by f/t over night; the first price of the execution day over the last close before it
says whether it did. Distances are those of logarithms, so that 1:2 and 2:1 weigh the same.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market.splits import Split

#: A jump this small (a stock dividend of a few per cent) cannot be told from an ordinary night.
TELLING: float = math.log(1.2)
#: Ratios that companies choose; a jump this close to one of them, without a listed split, is suspicious.
_USUAL = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0)
_CLOSE_TO_USUAL = math.log(1.04)
_SUSPICIOUS_FROM = math.log(1.9)


class Proof(StrEnum):
    """Whether a split counts: contradicted ones do not."""

    UNCHECKED = "unchecked"
    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A company that a listed split may be of, and what its price says; *by_symbol*: it had the symbol on that day."""

    company: str
    by_symbol: bool
    proof: Proof


_STRENGTH = {Proof.CONFIRMED: 0, Proof.UNCHECKED: 1, Proof.CONTRADICTED: 2}


def strength(claim: Claim) -> tuple[int, bool, str]:
    """Order claims, the best first: the price that shows the split, then whoever had its symbol."""
    return _STRENGTH[claim.proof], not claim.by_symbol, claim.company


class OvernightPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Raw prices around a morning: the last close before it, and open and close of the first bar from it on."""

    close_before: float
    open_after: float
    close_after: float

    @property
    def ratios(self) -> tuple[float, float]:
        """By the open and by the close: the day's first print may still be at the price of before."""
        return self.open_after / self.close_before, self.close_after / self.close_before


def proofs(splits: Sequence[Split], prices: OvernightPrices | None) -> list[Proof]:
    """Say of each of one symbol's splits of one day whether it counts; of several ratios at most one does.

    Without *prices* (no bar before or since) a single ratio counts unchecked, and of several none does.
    """
    factors = [split.split_from / split.split_to for split in splits]
    distinct = {round(math.log(factor), 9) for factor in factors}
    if prices is None:
        return [Proof.UNCHECKED if len(distinct) == 1 else Proof.CONTRADICTED] * len(splits)
    best = min(factors, key=lambda factor: _distance(factor, prices))
    chosen = _proof(best, prices, alone=len(distinct) == 1)
    found = []
    taken = False
    for factor in factors:
        fits = not taken and math.isclose(factor, best, rel_tol=1e-9)
        found.append(chosen if fits else Proof.CONTRADICTED)
        taken = taken or fits
    return found


def proofs_of(listed: Sequence[Split], prices: OvernightPrices | None) -> list[Proof]:
    """As `proofs`; one that is listed under a former symbol as well is one split, and has one proof."""
    by_ratio = {_ratio(split): split for split in reversed(listed)}
    found = dict(zip(by_ratio, proofs(list(by_ratio.values()), prices), strict=True))
    return [found[_ratio(split)] for split in listed]


def is_same_ratio(one: Split, other: Split) -> bool:
    """Whether both give as many new shares for an old one: 1:7 is 10:70."""
    return _ratio(one) == _ratio(other)


def _ratio(split: Split) -> float:
    return round(math.log(split.split_from / split.split_to), 9)


def _proof(factor: float, prices: OvernightPrices, *, alone: bool) -> Proof:
    if alone and abs(math.log(factor)) < TELLING:
        return Proof.UNCHECKED
    fits = any(abs(math.log(ratio / factor)) <= abs(math.log(ratio)) for ratio in prices.ratios)
    return Proof.CONFIRMED if fits else Proof.CONTRADICTED


def _distance(factor: float, prices: OvernightPrices) -> float:
    return min(abs(math.log(ratio / factor)) for ratio in prices.ratios)


def looks_like_a_split(prices: OvernightPrices) -> float | None:
    """Return the ratio, new shares for one (below 1: a reverse split), that a jump without a listed split suggests."""
    by_open, by_close = (math.log(ratio) for ratio in prices.ratios)
    if min(abs(by_open), abs(by_close)) < _SUSPICIOUS_FROM or by_open * by_close < 0:
        return None
    usual = min(_USUAL, key=lambda ratio: abs(abs(by_open) - math.log(ratio)))
    if abs(abs(by_open) - math.log(usual)) > _CLOSE_TO_USUAL:
        return None
    return usual if by_open < 0 else 1 / usual
