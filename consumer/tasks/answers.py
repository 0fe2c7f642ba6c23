"""Says what an answer about a session is, what stands of it, and what can become of the one before the other.

The words in which `weighing` and `single_rows` speak.  Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.findings import Contested, KeptFinding, State
from consumer.vendor.rows import DailyRow, Flaw
from market.findings import ABOUT_AN_ANSWER, Finding, Kind
from market.same_finding import same_thing
from market.session_bars import SessionBars, session_bars, with_averages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.vendor.rows import SetAside

# A vendor's caches outlive minutes, and our own attempts follow each other within them: that is one answer twice.
INDEPENDENT_AFTER = dt.timedelta(hours=1)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of a session: its bars, whether they were final, what is open and what was settled for them.

    `aside` are the answers that were not taken, by finding.
    """

    bars: SessionBars
    final: bool
    fetched_at: dt.datetime
    findings: Sequence[KeptFinding]
    aside: dict[int, Contested]

    def open(self, *kinds: Kind) -> list[KeptFinding]:
        return [one for one in self.findings if one.state is State.OPEN and one.kind in kinds]

    @property
    def open_about_prices(self) -> list[KeptFinding]:
        """The findings that make what stands suspect, but for that of the slots, which is settled beside them."""
        kinds = ABOUT_AN_ANSWER | {Kind.SLOTS}
        return [one for one in self.findings if one.state is State.OPEN and one.kind not in kinds]

    def settles(self, found: Finding) -> bool:
        """Whether this very thing was settled for the rows that stand."""
        return any(one.state is not State.OPEN and same_thing(one.finding, found) for one in self.findings)

    def accepted(self, kind: Kind) -> list[Contested]:
        """The answers of which a person said that what stands is right."""
        kept = [one for one in self.findings if one.state is State.ACCEPTED and one.kind is kind]
        return [self.aside[one.finding_id] for one in kept if one.finding_id in self.aside]


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of an answer that were set aside: of which symbols, and whether of some nobody knows whose they are."""

    symbols: frozenset[str] = frozenset()
    nameless: bool = False


def lost_rows(set_aside: Iterable[SetAside]) -> Lost:
    """Return what of *set_aside* would have been rows; a test issue's would not."""
    rows = [one for one in set_aside if one.field is None and one.flaw is not Flaw.TEST_ISSUE]
    symbols = frozenset(one.symbol for one in rows if one.symbol is not None)
    return Lost(symbols=symbols, nameless=any(one.symbol is None for one in rows))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor says now, and what its neighbours say against it."""

    rows: Sequence[DailyRow]
    bars: SessionBars
    found: list[Finding]
    fetched_at: dt.datetime
    may_lack: bool = False  # a person has said that there are fewer rows
    exchange_of: Mapping[str, str] = {}
    lost: Lost = Lost()

    def spared(self, standing: Standing) -> frozenset[str]:
        """The symbols whose final rows stay since this answer may have had one: it came, and could not be taken."""
        if not standing.final:
            return frozenset()
        missing = frozenset(standing.bars.symbols) - frozenset(self.bars.symbols)
        return missing if self.lost.nameless and not self.may_lack else missing & self.lost.symbols


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that are settled by this answer, and why."""

    ids: tuple[int, ...]
    reason: str


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """The answer is stored, but for the rows of *keep*; *aside* are its rows for those."""

    cleared: tuple[Cleared, ...] = ()
    keep: frozenset[str] = frozenset()
    finding: Finding | None = None
    aside: Contested | None = None
    other_rows: bool = False  # it denies what stood: what was settled for that is settled no more


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """What stands is kept; *finding* is None where the same answer is aside already."""

    reason: str
    finding: Finding | None = None


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """A person has said that what stands is right, and not this very answer."""


def bars_of(rows: Iterable[DailyRow]) -> SessionBars:
    """Lay out the vendor's rows."""
    kept = list(rows)
    figures = session_bars({row.T: (row.o, row.h, row.l, row.c, row.v) for row in kept})
    return with_averages(figures, {row.T: row.vw for row in kept})


def ids_of(found: Iterable[KeptFinding]) -> tuple[int, ...]:
    """Of those that are open."""
    return tuple(one.finding_id for one in found if one.state is State.OPEN)


def independent(answer: Answer, kept: KeptFinding) -> bool:
    """Whether *answer* came so long after the one that was kept aside that they are two."""
    return kept.contested_at is not None and answer.fetched_at - kept.contested_at >= INDEPENDENT_AFTER


def was_denied(known: KeptFinding, *, fewest: float) -> bool:
    """Whether a recheck that had something to compare agreed with less than *fewest* of what was aside."""
    seen = known.evidence.get("recheck", {})
    share = seen.get("agree_with_the_other")
    return bool(seen.get("compared")) and share is not None and share < fewest
