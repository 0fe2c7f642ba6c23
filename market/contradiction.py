"""Compares two answers about one session: do they agree, and does the later one deny what the earlier said?

Vendors correct volumes and now and then a price; that is restatement. A close that is another by a tenth, a volume more
than doubled or halved, or a well traded row that is gone, is not: what stands was an answer too, and outranks one more.
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from market.findings import Finding, Kind
from market.session_bars import CLOSE, OPEN, VOLUME, Flags, Floats, SessionBars, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

AGREEING = 0.99  # of two whole answers
AGREEING_SAMPLE = 0.95  # of a sample asked for by another way
SAME_PRICE = 1.001
SAME_VOLUME = 1.1
GROWING_VOLUME = 2.0  # while a session goes on its volume grows

BEYOND_BELIEF_PRICE = 1.1
BEYOND_BELIEF_VOLUME = 2.0 * (1 + 1e-9)  # twice the volume is a correction that vendors have made
WELL_TRADED = 10_000.0
CONTRADICTING = 0.01
FEWEST_CONTRADICTING = 20
# Each of these might be a correction; one row in twenty at once is another answer.
RESTATED_PRICE = SAME_PRICE
RESTATED_VOLUME = 1.5
MOST_RESTATED = 0.05
_NAMED = 30
IMPLAUSIBLE = "implausible"  # in the evidence: what its neighbours say against the answer


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How many symbols two answers have in common (or one of them lacks), and how many are alike in both."""

    compared: int
    agreeing: int

    @property
    def share(self) -> float:
        return self.agreeing / self.compared if self.compared else 0.0


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """The symbols whose rows an answer gives beyond belief, and those that it gives otherwise at all.

    Those that weigh most come first; *compared* is how many rows stand.
    """

    symbols: tuple[str, ...]
    restated: tuple[str, ...]
    compared: int

    @property
    def by_belief(self) -> bool:
        """Whether what is beyond belief is more than single rows."""
        return len(self.symbols) >= FEWEST_CONTRADICTING and len(self.symbols) > CONTRADICTING * self.compared

    @property
    def is_of_the_market(self) -> bool:
        many = len(self.restated) >= FEWEST_CONTRADICTING and len(self.restated) > MOST_RESTATED * self.compared
        return many or self.by_belief


def agreement(first: SessionBars, second: SessionBars, *, same_volume: bool) -> Agreement:
    """Compare all symbols of either; one that the other lacks does not agree. Volumes roughly unless *same_volume*."""
    _, table = side_by_side([first, second])
    alike = _alike(table[0], table[1], SAME_VOLUME if same_volume else GROWING_VOLUME)
    return Agreement(compared=len(alike), agreeing=int(np.count_nonzero(alike)))


def alike_symbols(first: SessionBars, second: SessionBars, *, same_volume: bool) -> frozenset[str]:
    """Return the symbols whose rows are alike in both."""
    symbols, table = side_by_side([first, second])
    alike = _alike(table[0], table[1], SAME_VOLUME if same_volume else GROWING_VOLUME)
    return frozenset(symbols[place] for place in np.flatnonzero(alike))


def denied(stands: SessionBars, answer: SessionBars, *, final: bool, may_lack: bool = False) -> Denied:
    """Return what *answer* denies of what *stands*. Of a session that was not *final* only prices are compared.

    A row that is gone is a denial too, unless the answer *may_lack* some.
    """
    symbols, (old, new) = side_by_side([stands, answer])
    stood = np.isfinite(old[:, CLOSE])
    beyond = _apart(old[:, CLOSE], new[:, CLOSE], BEYOND_BELIEF_PRICE)
    restated = np.zeros(len(symbols), dtype=np.bool_)
    if final:
        traded = np.fmax(old[:, VOLUME], new[:, VOLUME]) >= WELL_TRADED
        beyond |= traded & _apart(old[:, VOLUME], new[:, VOLUME], BEYOND_BELIEF_VOLUME)
        beyond |= stood & ~np.isfinite(new[:, CLOSE]) & (old[:, VOLUME] >= WELL_TRADED) & (not may_lack)
        restated = _apart(old[:, CLOSE], new[:, CLOSE], RESTATED_PRICE)
        restated |= traded & _apart(old[:, VOLUME], new[:, VOLUME], RESTATED_VOLUME)
    heaviest_first = np.argsort(-np.nan_to_num(np.fmax(old[:, VOLUME], new[:, VOLUME])), kind="stable")
    return Denied(
        symbols=tuple(symbols[place] for place in heaviest_first if beyond[place]),
        restated=tuple(symbols[place] for place in heaviest_first if restated[place]),
        compared=int(np.count_nonzero(stood)),
    )


def objection(found: Denied, against: Sequence[Finding]) -> Finding:
    """Say why an answer is not taken: it denies what stands, or its neighbours speak *against* it, or both."""
    symbols, how = found.symbols, "beyond belief"
    if not found.by_belief:
        symbols, how = found.restated, "otherwise than they stand"
    reason = f"an answer gives {len(symbols)} of {found.compared} rows {how}"
    if not found.is_of_the_market:
        symbols = tuple(symbol for one in against for symbol in one.symbols)
        reason = "an answer is not plausible"
    return Finding(
        kind=Kind.CONTRADICTED,
        reason=": ".join([reason, *filter(None, ["; ".join(one.reason for one in against)])]),
        symbols=symbols[:_NAMED],
        evidence={
            "rows": found.compared,
            "denied": len(found.symbols),
            "restated": len(found.restated),
            IMPLAUSIBLE: {str(one.kind): one.evidence for one in against},
        },
    )


def _alike(old: Floats, new: Floats, volumes_within: float) -> Flags:
    prices = ~_apart(old[:, OPEN], new[:, OPEN], SAME_PRICE) & ~_apart(old[:, CLOSE], new[:, CLOSE], SAME_PRICE)
    both = np.isfinite(old[:, CLOSE]) & np.isfinite(new[:, CLOSE])
    alike: Flags = both & prices & ~_apart(old[:, VOLUME], new[:, VOLUME], volumes_within)
    return alike


def _apart(old: Floats, new: Floats, factor: float) -> Flags:
    """Whether both are there and one is more than *factor* times the other; zero and something are apart."""
    larger, smaller = np.fmax(old, new), np.fmin(old, new)
    apart: Flags = np.isfinite(old) & np.isfinite(new) & (larger > smaller * factor)
    return apart
