"""Which listing, float and split rows are kept."""

import datetime as dt
from typing import Any

import pytest

from consumer.vendor.reference_rows import newest_listing, sound_floats, sound_splits
from consumer.vendor.rows import Flaw, FloatRow, SplitRow, TickerRow
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
