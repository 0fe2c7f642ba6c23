"""Says what a finding is about, and whether two of one kind are about the same thing.

What was settled about one pair of symbols, one exchange or one figure says nothing of another pair, exchange or figure.
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from market.findings import Finding, Kind
from market.volume_totals import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping

# In the evidence of findings: figures, and within which factor two of them are alike.
_LIKE: Mapping[str, float] = {
    "median_ratio": 1.1,
    "range_ratio": 1.5,
    "equal_closes": 1.25,
    "equal_volumes": 1.25,
    "jumped": 1.5,
    "without_volume": 1.25,
    "flat": 1.25,
    "opens_that_close": 1.25,
    "wide": 1.5,
    "denied": 1.5,
}
_LIKE_VOLUME = 1.5
_FEWEST_OF_A_SAMPLE = 0.5


def exchanges_of(finding: Finding) -> frozenset[str]:
    """The exchanges whose symbols a finding is about; none where it is about the market, or about single rows."""
    evidence = finding.evidence
    named = evidence.get("exchanges") or [evidence["exchange"]] if "exchange" in evidence else []
    return frozenset(named) | (frozenset(evidence.get("times_usual", {})) - {ALL})


def rows_of(finding: Finding) -> frozenset[str] | None:
    """The symbols whose rows alone a finding is about; None where it is about an exchange or the market."""
    return frozenset(finding.symbols) if finding.kind is Kind.SWAPPED else None


def is_about_the_market(finding: Finding) -> bool:
    return rows_of(finding) is None and not exchanges_of(finding)


def same_thing(settled: Finding, found: Finding) -> bool:
    """Whether what was *settled* speaks for what is *found* too."""
    if settled.kind is not found.kind or bool(exchanges_of(settled)) != bool(exchanges_of(found)):
        return False
    if found.kind is Kind.SWAPPED:
        return set(found.symbols) <= set(settled.symbols)
    if found.kind is Kind.SLOTS and not _overlap(settled, found):
        return False
    if found.kind is Kind.REPEATED and settled.evidence.get("compared_with") != found.evidence.get("compared_with"):
        return False
    return exchanges_of(found) <= exchanges_of(settled) and _like_figures(settled.evidence, found.evidence)


def _overlap(settled: Finding, found: Finding) -> bool:
    """Of many symbols a finding names the first: some come and go."""
    return len(set(found.symbols) & set(settled.symbols)) >= _FEWEST_OF_A_SAMPLE * len(found.symbols)


def _like_figures(settled: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    volumes = settled.get("times_usual", {})
    return all(
        name in settled and _like(settled[name], found[name], within) for name, within in _LIKE.items() if name in found
    ) and all(
        scope in volumes and _like(volumes[scope], share, _LIKE_VOLUME)
        for scope, share in found.get("times_usual", {}).items()
    )


def _like(settled: float, found: float, within: float) -> bool:
    return max(settled, found) <= min(settled, found) * within
