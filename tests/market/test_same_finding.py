"""Holds what was settled to: it speaks for the same symbols, the same exchange and a like figure, and for no other."""

from __future__ import annotations

import pytest

from market.findings import Finding, Kind
from market.same_finding import exchanges_of, is_about_the_market, rows_of, same_thing


def found(kind: Kind, *symbols: str, **evidence: object) -> Finding:
    return Finding(kind=kind, reason="", symbols=symbols, evidence=evidence)


PRICES = found(Kind.PRICES, median_ratio=0.6, compared_with="2025-11-10")
OF_AN_EXCHANGE = found(Kind.PRICES, "A", median_ratio=0.6, exchange="XNAS")
VOLUME = found(Kind.VOLUME, times_usual={"all": 0.1})
PAIR = found(Kind.SWAPPED, "A", "B", pairs=1)
SLOTS = found(Kind.SLOTS, "A", "B", "C", denied=30)
REPEATED = found(Kind.REPEATED, compared_with="2025-11-10", equal_closes=0.9)


@pytest.mark.parametrize(
    ("settled", "again"),
    [
        (PRICES, found(Kind.PRICES, median_ratio=0.62, compared_with="2025-11-07")),
        (found(Kind.PRICES, exchange="XNAS", exchanges=["XNAS", "XNYS"], median_ratio=0.6), OF_AN_EXCHANGE),
        (VOLUME, found(Kind.VOLUME, times_usual={"all": 0.12})),
        (PAIR, PAIR),
        (SLOTS, found(Kind.SLOTS, "B", "C", "D", denied=35)),
        (REPEATED, REPEATED),
    ],
)
def test_what_was_settled_speaks_for_the_same_thing(settled: Finding, again: Finding) -> None:
    assert same_thing(settled, again)


@pytest.mark.parametrize(
    ("settled", "other"),
    [
        (PRICES, found(Kind.PRICES, median_ratio=100.0)),
        (PRICES, OF_AN_EXCHANGE),
        (OF_AN_EXCHANGE, PRICES),
        (OF_AN_EXCHANGE, found(Kind.PRICES, exchange="XNYS", median_ratio=0.6)),
        (VOLUME, found(Kind.VOLUME, times_usual={"all": 1000.0})),
        (VOLUME, found(Kind.VOLUME, times_usual={"XNAS": 0.1})),
        (PAIR, found(Kind.SWAPPED, "A", "B", "C", "D", pairs=2)),
        (SLOTS, found(Kind.SLOTS, "B", "X", "Y", denied=30)),
        (REPEATED, found(Kind.REPEATED, compared_with="2025-11-07", equal_closes=0.9)),
        (VOLUME, PRICES),
    ],
)
def test_what_was_settled_silences_nothing_else_of_its_kind(settled: Finding, other: Finding) -> None:
    assert not same_thing(settled, other)


def test_a_finding_is_about_rows_or_exchanges_or_the_market() -> None:
    assert (rows_of(PAIR), is_about_the_market(PAIR)) == ({"A", "B"}, False)
    assert (exchanges_of(OF_AN_EXCHANGE), is_about_the_market(OF_AN_EXCHANGE)) == ({"XNAS"}, False)
    assert exchanges_of(found(Kind.VOLUME, times_usual={"XNAS": 0.1})) == {"XNAS"}
    assert is_about_the_market(PRICES)
    assert is_about_the_market(VOLUME)
