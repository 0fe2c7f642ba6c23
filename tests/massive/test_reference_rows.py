"""Which listing, float and split rows are kept."""

import datetime as dt
from typing import Any

import pytest

from consumer.vendor.reference_rows import newest_listing, sound_dividends, sound_floats, sound_splits
from consumer.vendor.rows import DividendRow, Flaw, FloatRow, SplitRow, TickerRow
from consumer.vendor.sieve import Sieve

SINCE, UNTIL = dt.date(2026, 7, 1), dt.date(2026, 7, 15)


def rows_in(*pages: list[Any]) -> list[Any]:
    return [row for rows in pages for row in rows]


def test_of_a_ticker_listed_twice_the_newest_row_stays() -> None:
    old = TickerRow(ticker="META", cik="1", last_updated_utc="2026-01-01T00:00:00Z")
    new = TickerRow(ticker="META", cik="2", last_updated_utc="2026-07-01T00:00:00Z")
    undated = TickerRow(ticker="META", cik="3")
    for order in ([old, new, undated], [new, undated, old], [undated, old, new]):
        listing = newest_listing(rows_in(order), Sieve(UNTIL))
        assert listing.rows == [new]
        assert listing.rejected == {Flaw.DUPLICATE: 2}
        assert {row.cik for row in listing.others} == {"1", "3"}


def test_symbols_that_differ_in_case_are_different_tickers_and_garbage_is_counted() -> None:
    rows = [TickerRow(ticker=ticker) for ticker in ("BACpB", "BACPB", "\0X", "")]
    listing = newest_listing(rows_in(rows[:2], rows[2:]), Sieve(UNTIL), pages=2)
    assert [row.ticker for row in listing.rows] == ["BACpB", "BACPB"]
    assert (listing.rejected, listing.pages, listing.complete) == ({Flaw.SYMBOL: 2}, 2, True)


def test_of_a_float_given_twice_the_latest_stays() -> None:
    old = FloatRow(ticker="A", effective_date=dt.date(2026, 1, 1), free_float=1)
    new = FloatRow(ticker="A", effective_date=dt.date(2026, 2, 1), free_float=2)
    assert sound_floats(rows_in([new], [old, FloatRow(ticker="\0")]), Sieve(UNTIL)) == [new]
    for nothing in (None, 0):
        later = FloatRow(ticker="A", effective_date=dt.date(2026, 3, 1), free_float=nothing)
        assert sound_floats(rows_in([later, new]), Sieve(UNTIL)) == [new]


def test_a_float_of_a_day_to_come_is_taken_without_its_day() -> None:
    sieve = Sieve(dt.date(2025, 11, 11))
    tomorrow, later = (dt.date(2025, 11, day) for day in (12, 13))
    rows = [FloatRow(ticker=name, effective_date=day, free_float=5) for name, day in (("A", tomorrow), ("B", later))]
    assert [(row.ticker, row.effective_date) for row in sound_floats(rows_in(rows), sieve)] == [
        ("A", tomorrow), ("B", None),
    ]  # fmt: skip
    assert [(one.symbol, one.field) for one in sieve.set_aside] == [("B", "effective_date")]


def split(**fields: Any) -> SplitRow:
    return SplitRow(**{"ticker": "A", "execution_date": UNTIL, "split_from": 1.0, "split_to": 7.0, **fields})


def test_a_split_sent_twice_counts_once() -> None:
    assert sound_splits(rows_in([split(id="1"), split(id="2")], [split(id="3")]), SINCE, UNTIL, Sieve(UNTIL)) == [
        split(id="1")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"ticker": "\0"},
        {"execution_date": SINCE - dt.timedelta(days=1)},
        {"execution_date": UNTIL + dt.timedelta(days=1)},
        {"split_from": 0.0},
        {"split_to": -1.0},
        {"split_to": float("nan")},
        {"split_to": float("inf")},
    ],
)
def test_a_split_without_a_usable_ratio_day_or_symbol_is_left_out(fields: dict[str, Any]) -> None:
    sound = split(ticker="B", split_from=2.5)
    assert sound_splits(rows_in([split(**fields), sound]), SINCE, UNTIL, Sieve(UNTIL)) == [sound]


def dividend(**fields: Any) -> DividendRow:
    return DividendRow(**{"ticker": "A", "ex_dividend_date": UNTIL, "cash_amount": 0.5, "currency": "USD", **fields})


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        pytest.param({"ticker": "\0"}, Flaw.SYMBOL, id="no symbol"),
        pytest.param({"ex_dividend_date": SINCE - dt.timedelta(days=1)}, Flaw.FOREIGN_DAY, id="before the days asked"),
        pytest.param({"ex_dividend_date": UNTIL + dt.timedelta(days=1)}, Flaw.FOREIGN_DAY, id="after them"),
        pytest.param({"ex_dividend_date": dt.date(1, 1, 1)}, Flaw.FOREIGN_DAY, id="before there were dates"),
        pytest.param({"cash_amount": 0.0}, Flaw.AMOUNT, id="nothing is paid"),
        pytest.param({"cash_amount": -0.5}, Flaw.AMOUNT, id="paid by the holder"),
        pytest.param({"cash_amount": 1e9}, Flaw.AMOUNT, id="more than any share costs"),
        pytest.param({"cash_amount": NAN}, Flaw.AMOUNT, id="no number"),
        pytest.param({"cash_amount": INFINITY}, Flaw.AMOUNT, id="no end"),
    ],
)
def test_a_dividend_that_cannot_be_costs_itself_alone(fields: dict[str, Any], flaw: Flaw) -> None:
    sound, sieve = dividend(ticker="B"), Sieve(UNTIL)
    assert sound_dividends([dividend(**fields), sound], SINCE, UNTIL, sieve) == [sound]
    assert sieve.rejected == {flaw: 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "dollars"), ("currency", "U$"), ("frequency", -1), ("frequency", 5_000),
        ("pay_date", dt.date(9999, 12, 31)), ("record_date", dt.date(1, 1, 1)),
        ("declaration_date", dt.date(2099, 1, 1)),
        ("distribution_type", "a\0b"), ("id", "x" * 500),
    ],
)  # fmt: skip
def test_a_field_of_a_dividend_that_cannot_be_costs_itself_alone(field: str, value: Any) -> None:
    sieve = Sieve(UNTIL)
    (kept,) = sound_dividends([dividend(**{field: value})], SINCE, UNTIL, sieve)
    assert getattr(kept, field) is None
    assert kept.cash_amount == 0.5
    assert sieve.rejected == {f"field {field}": 1}


@pytest.mark.parametrize(
    ("other", "payments"),
    [
        pytest.param({"id": "1"}, 1, id="the same id"),
        pytest.param({"id": "2"}, 1, id="the same amount of the same kind"),
        pytest.param({"id": "1", "cash_amount": 0.6}, 1, id="the same id with another amount"),
        pytest.param({"id": "2", "currency": "usd"}, 1, id="the same currency in small letters"),
        pytest.param({"id": "2", "cash_amount": 0.6}, 2, id="another amount"),
        pytest.param({"id": "2", "distribution_type": "special"}, 2, id="another kind"),
        pytest.param({"id": "1", "ticker": "B"}, 2, id="another ticker"),
        pytest.param({"id": "1", "ex_dividend_date": SINCE}, 2, id="another day"),
    ],
)
def test_a_dividend_sent_twice_is_one_payment(other: dict[str, Any], payments: int) -> None:
    sieve = Sieve(UNTIL)
    found = sound_dividends([dividend(id="1"), dividend(**other)], SINCE, UNTIL, sieve)
    assert len(found) == payments
    assert found[0] == dividend(id="1")
    assert sieve.rejected.get(Flaw.DUPLICATE, 0) == 2 - payments


@pytest.mark.parametrize("field", ["distribution_type", "currency"])
@pytest.mark.parametrize("swapped", [False, True])
def test_what_a_dividend_does_not_name_is_what_it_is_stored_as(field: str, swapped: bool) -> None:
    """Two rows of one stored key would refuse the whole list."""
    named = dividend(**{field: {"distribution_type": "unknown", "currency": "xxx"}[field]})
    rows = [dividend(**{field: None}), named]
    sieve = Sieve(UNTIL)
    assert len(sound_dividends(reversed(rows) if swapped else rows, SINCE, UNTIL, sieve)) == 1
    assert sieve.rejected == {Flaw.DUPLICATE: 1}
