"""Compares two answers about one session: do they agree, and does the later one deny what the earlier said?

Vendors correct volumes and now and then a price; that is restatement. A price that is another by a tenth, a volume more
than doubled or halved, or a well traded row that is gone, is not: what stands was an answer too, and outranks one more.
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from market.findings import Finding, Kind
from market.session_bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Flags, Floats, SessionBars, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

AGREEING = 0.99  # of two whole answers
AGREEING_SAMPLE = 0.95  # of a sample asked for by another way
SAME_PRICE = 1.001
SAME_EXTREME = 1.01
SAME_VOLUME = 1.1
GROWING_VOLUME, GROWING_RANGE = 2.0, 1.1  # while a session goes on

BEYOND_BELIEF_PRICE = 1.1
BEYOND_BELIEF_VOLUME = 2.0 * (1 + 1e-9)  # twice the volume is a correction that vendors have made
WELL_TRADED = 10_000.0
CONTRADICTING = 0.01
FEWEST_CONTRADICTING = 20
# Each of these might be a correction; one row in twenty at once is another answer.
RESTATED_PRICE = SAME_PRICE
RESTATED_EXTREME = 1.01  # highs, lows and averages follow late reports of single trades
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
    _, alike = _alike(first, second, same_volume=same_volume)
    return Agreement(compared=len(alike), agreeing=int(np.count_nonzero(alike)))


def alike_symbols(first: SessionBars, second: SessionBars, *, same_volume: bool) -> frozenset[str]:
    """Return the symbols whose rows are alike in both."""
    symbols, alike = _alike(first, second, same_volume=same_volume)
    return frozenset(symbols[place] for place in np.flatnonzero(alike))


def denied(stands: SessionBars, answer: SessionBars, *, final: bool, may_lack: bool = False) -> Denied:
    """Return what *answer* denies of what *stands*. Of a session that was not *final* only prices are compared.

    A row that is gone is a denial too, unless the answer *may_lack* some. While a session goes on its highs may rise
    and its lows fall, and not the other way.
    """
    symbols, (old, new) = side_by_side([stands, answer])
    stood = np.isfinite(old[:, CLOSE])
    beyond = _any_apart(old, new, (OPEN, CLOSE), BEYOND_BELIEF_PRICE)
    restated = np.zeros(len(symbols), dtype=np.bool_)
    if final:
        averages = _averages(symbols, stands), _averages(symbols, answer)
        traded = np.fmax(old[:, VOLUME], new[:, VOLUME]) >= WELL_TRADED
        beyond |= _any_apart(old, new, (HIGH, LOW), BEYOND_BELIEF_PRICE) | _apart(*averages, BEYOND_BELIEF_PRICE)
        beyond |= traded & _apart(old[:, VOLUME], new[:, VOLUME], BEYOND_BELIEF_VOLUME)
        gone = stood & ~np.isfinite(new[:, CLOSE]) & (not may_lack)
        beyond |= gone & (old[:, VOLUME] >= WELL_TRADED)
        restated = gone | _any_apart(old, new, (OPEN, CLOSE), RESTATED_PRICE)
        restated |= _any_apart(old, new, (HIGH, LOW), RESTATED_EXTREME) | _apart(*averages, RESTATED_EXTREME)
        restated |= traded & _apart(old[:, VOLUME], new[:, VOLUME], RESTATED_VOLUME)
    else:
        beyond |= old[:, HIGH] > new[:, HIGH] * BEYOND_BELIEF_PRICE
        beyond |= old[:, LOW] * BEYOND_BELIEF_PRICE < new[:, LOW]
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


def _alike(first: SessionBars, second: SessionBars, *, same_volume: bool) -> tuple[list[str], Flags]:
    symbols, (old, new) = side_by_side([first, second])
    extremes, volumes = (SAME_EXTREME, SAME_VOLUME) if same_volume else (GROWING_RANGE, GROWING_VOLUME)
    both = np.isfinite(old[:, CLOSE]) & np.isfinite(new[:, CLOSE])
    apart = _any_apart(old, new, (OPEN, CLOSE), SAME_PRICE) | _any_apart(old, new, (HIGH, LOW), extremes)
    apart |= _apart(_averages(symbols, first), _averages(symbols, second), extremes)
    alike: Flags = both & ~apart & ~_apart(old[:, VOLUME], new[:, VOLUME], volumes)
    return symbols, alike


def _averages(symbols: Sequence[str], bars: SessionBars) -> Floats:
    """The volume-weighted average prices of *symbols*, NaN where an answer has none."""
    known = dict(zip(bars.symbols, bars.averages.tolist(), strict=True)) if bars.averages is not None else {}
    return np.array([known.get(symbol, np.nan) for symbol in symbols], dtype=np.float64)


def _any_apart(old: Floats, new: Floats, columns: Sequence[int], factor: float) -> Flags:
    apart: Flags = np.any([_apart(old[:, column], new[:, column], factor) for column in columns], axis=0)
    return apart


def _apart(old: Floats, new: Floats, factor: float) -> Flags:
    """Whether both are there and one is more than *factor* times the other; zero and something are apart."""
    larger, smaller = np.fmax(old, new), np.fmin(old, new)
    apart: Flags = np.isfinite(old) & np.isfinite(new) & (larger > smaller * factor)
    return apart
