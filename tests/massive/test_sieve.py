"""What the sieve keeps of what is lost: all counted, all rows of a market named, the first with what came."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.vendor.questions import Question
from consumer.vendor.reference_rows import sound_details
from consumer.vendor.rows import Address, Branding, Flaw, SetAside, TickerDetails
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


@pytest.mark.parametrize(
    ("field", "details", "left"),
    [
        ("city", TickerDetails(ticker="A", address=Address(city="NEW\0YORK", state="NY")),
         TickerDetails(ticker="A", address=Address(state="NY"))),
        ("address1", TickerDetails(ticker="A", address=Address(address1="x" * 501)),
         TickerDetails(ticker="A", address=Address())),
        ("logo_url", TickerDetails(ticker="A", branding=Branding(logo_url="javascript:a(1)", icon_url="https://a.b")),
         TickerDetails(ticker="A", branding=Branding(icon_url="https://a.b"))),
        ("homepage_url", TickerDetails(ticker="A", homepage_url="https://a.b/\nA: x"), TickerDetails(ticker="A")),
        ("description", TickerDetails(ticker="A", description="Makes \x1b[31mred things"), TickerDetails(ticker="A")),
        ("description", TickerDetails(ticker="A", description="x" * 20_001), TickerDetails(ticker="A")),
    ],
)  # fmt: skip
def test_what_cannot_be_of_a_company_costs_that_one_field_and_is_named(
    field: str, details: TickerDetails, left: TickerDetails
) -> None:
    sieve = Sieve(TODAY)
    assert sound_details([details], sieve) == [left]
    assert [(one.symbol, one.field, one.flaw) for one in sieve.set_aside] == [("A", field, Flaw.BOUNDS)]


def test_a_description_may_have_lines() -> None:
    sieve = Sieve(TODAY)
    details = TickerDetails(ticker="A", description="What it makes.\r\n\tAnd sells.", address=Address(city="ZÜRICH"))
    assert sound_details([details], sieve) == [details]
