"""What the sieve keeps of what is lost: all counted, all rows of a market named, the first with what came."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.vendor.questions import Question
from consumer.vendor.rows import Flaw, SetAside, TickerDetails
from consumer.vendor.sieve import MOST_EVIDENCE, MOST_NAMED, FieldChecks, Sieve

TODAY = dt.date(2025, 11, 11)
DETAILS = FieldChecks(Question.TICKER_DETAILS, TickerDetails)


def test_rows_are_named_beyond_the_evidence_and_counted_beyond_the_names() -> None:
    sieve = Sieve(TODAY)
    for number in range(MOST_NAMED + 5):
        sieve.drop_row(Flaw.PRICE, {"c": -1}, f"S{number}")
    assert sieve.rejected == {Flaw.PRICE: MOST_NAMED + 5}
    assert len(sieve.set_aside) == MOST_NAMED
    assert sum(one.evidence is not None for one in sieve.set_aside) == MOST_EVIDENCE


def test_a_flood_of_fields_leaves_no_row_unnamed() -> None:
    sieve = Sieve(TODAY)
    for number in range(MOST_NAMED + 5):
        sieve.drop_field(Flaw.BOUNDS, "vw", -1.0, f"S{number}")
    sieve.drop_row(Flaw.PRICE, {"c": -1}, "LAST")
    assert sieve.set_aside[-1] == SetAside(flaw=Flaw.PRICE, symbol="LAST", evidence={"c": -1})


@pytest.mark.parametrize("symbol", ["A B", "", "\0X", 7, None, "x" * 21])
def test_what_is_no_symbol_is_not_named_as_one(symbol: object) -> None:
    sieve = Sieve(TODAY)
    sieve.drop_row(Flaw.SYMBOL, {"T": symbol}, symbol)
    assert sieve.set_aside[0].symbol is None


@pytest.mark.parametrize(
    ("list_date", "asked_on", "kept"),
    [
        (dt.date(2026, 11, 30), dt.date(2025, 11, 11), True),
        (dt.date(2027, 1, 1), dt.date(2025, 11, 11), False),
        (dt.date(2027, 1, 1), dt.date(2026, 11, 11), True),
        (dt.date(2099, 1, 1), dt.date(2025, 11, 11), False),
        (dt.date(1792, 5, 16), dt.date(2025, 11, 11), False),
        (dt.date(9999, 12, 31), dt.date(9999, 12, 31), True),
    ],
)
def test_a_date_is_held_against_the_day_on_which_it_was_asked_for(
    list_date: dt.date, asked_on: dt.date, kept: bool
) -> None:
    sieve = Sieve(asked_on)
    found = DETAILS.sound(TickerDetails(ticker="A", list_date=list_date), sieve)
    assert found == TickerDetails(ticker="A", list_date=list_date if kept else None)
    assert dict(sieve.rejected) == ({} if kept else {"field list_date": 1})
