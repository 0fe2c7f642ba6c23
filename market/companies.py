"""Says of which company a symbol is: its codes as listed and as known, the bars around a day, and what changed.

A code is composite FIGI, share-class FIGI or CIK. What becomes of them is decided by identity.py.
"""

from __future__ import annotations

import datetime as dt
import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Beyond this factor over night, splits taken out, a price does not continue.
_JUMP = math.log(2.0)
CODES = ("composite_figi", "share_class_figi", "cik")
FIGIS = CODES[:2]


class Kind(StrEnum):
    """What a listing, or the details, showed of a symbol."""

    CORRECTED = "corrected"  # the same company under another code
    RENAMED = "renamed"
    REISSUED = "reissued"  # another company's now
    CONTESTED = "contested"  # one field says so, and the bars do not
    LISTED = "listed"  # its company's since the list date: before it, nobody traded


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol with the codes of its company, as a listing gives them; None is what it does not say."""

    symbol: str
    composite_figi: str | None = None
    share_class_figi: str | None = None
    cik: str | None = None
    type: str | None = None
    name: str | None = None


class Known(Listed, frozen=True, kw_only=True):
    """The same as stored, with how it stands in the universe; *since* is its company's first session, None: always."""

    active: bool
    state: str
    last_seen: dt.date
    since: dt.date | None = None


class Trading(msgspec.Struct, frozen=True, kw_only=True):
    """What the bars with volume say of one symbol around a day.

    Quiet: none in the sessions right before it. *factor* is that of the splits between the two prices.
    """

    quiet: bool = True
    close_before: float | None = None
    first_from: dt.date | None = None
    open_from: float | None = None
    last: dt.date | None = None
    factor: float = 1.0

    @property
    def is_unknown(self) -> bool:
        """Whether there are none at all."""
        return self.close_before is None and self.first_from is None

    @property
    def breaks(self) -> bool:
        """Whether they show that something ended before the day."""
        return self.quiet or not continues(self.close_before, self.open_from, self.factor)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to *symbol* on *changed_on*; *new_symbol* is set where its company was, or may be, renamed."""

    symbol: str
    kind: Kind
    changed_on: dt.date
    new_symbol: str | None = None
    since: dt.date | None = None
    old: Listed | None = None
    new: Listed | None = None
    evidence: str = ""

    def __str__(self) -> str:
        match self.kind:
            case Kind.RENAMED:
                return f"{self.symbol} is {self.new_symbol} since {self.changed_on}"
            case Kind.REISSUED | Kind.LISTED:
                return f"{self.symbol} belongs to another company since {self.changed_on}"
            case Kind.CORRECTED:
                return f"{self.symbol} is the same company under another code, history kept: {self.evidence}"
            case Kind.CONTESTED if self.new_symbol is not None:
                return f"{self.symbol} may be {self.new_symbol} since {self.changed_on}, kept apart: {self.evidence}"
            case Kind.CONTESTED:
                return f"{self.symbol} may be another company since {self.changed_on}, history kept: {self.evidence}"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol whose codes in the listing are not those known, or whose company stands under another symbol."""

    known: Known
    listed: Listed
    changed_on: dt.date
    by_cik: bool = False

    @property
    def is_rename(self) -> bool:
        return self.known.symbol != self.listed.symbol

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those whose bars have a say, at *changed_on*."""
        return (self.known.symbol, self.listed.symbol) if self.is_rename else (self.known.symbol,)


def continues(before: float | None, after: float | None, factor: float = 1.0) -> bool:
    """Whether the price *after* may follow *before*, the splits in between taken out; unknown prices may."""
    if not before or not after:
        return True
    return abs(math.log(after / (before * factor))) <= _JUMP


def agreement(one: Listed, other: Listed, codes: Iterable[str] = CODES) -> tuple[int, int]:
    """How many codes agree, and how many differ; what one of the two does not say is neither."""
    pairs = [(getattr(one, code), getattr(other, code)) for code in codes]
    # A CIK is a number: the zeros in front of it come and go.
    known = [mine.lstrip("0") == theirs.lstrip("0") for mine, theirs in pairs if mine and theirs]
    return sum(known), len(known) - sum(known)
