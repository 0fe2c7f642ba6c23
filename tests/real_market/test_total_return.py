"""Holds total-return closes of real shares against exact arithmetic on real prices and a dividend of public record.

Apple, spring of 2014: $3.29 a share with an ex-day on May 8, and seven shares for one on June 9. Sources stand beside
the figures in conftest.py; prices are those of the flat files. Held against ours are besides the adjusted closes of
another party, Yahoo's, as somebody has published them.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.real_market.conftest import Replayed
    from tests.real_market.expected import Files

EX_DAY, SPLIT_DAY = dt.date(2014, 5, 8), dt.date(2014, 6, 9)
PAID, SHARES_FOR_ONE = Fraction("3.29"), 7
STORED_SESSIONS = 30
#: Yahoo's `Adj Close` of AAPL as of 2023, from data/AAPL.csv of github.com/AWHochman/cds_sp23, commit
#: 9a2ae420c7146004c1db82eaf1a3c4d40610f60b, where logdata.py has yfinance download such files. All that has been
#: paid and split since 2014-06-09 is one factor of each, so that their ratios are those of closes as of that day. Days
#: are some whose close is Yahoo's to the cent in the flat files too: before the ex-day, after it, and of the split.
PUBLISHED = {
    dt.date(2014, 4, 29): 18.732791900634766,
    dt.date(2014, 4, 30): 18.661951065063477,
    dt.date(2014, 5, 2): 18.740697860717773,
    dt.date(2014, 5, 7): 18.732791900634766,
    dt.date(2014, 5, 12): 18.853322982788086,
    dt.date(2014, 5, 30): 20.130813598632812,
    dt.date(2014, 6, 6): 20.530574798583984,
    SPLIT_DAY: 20.859086990356445,
}
#: They are of single precision, and made of prices with six decimals.
PUBLISHED_DIGITS = 5e-7


def exact_closes(files: Files, ticker: str, up_to: dt.date) -> dict[dt.date, tuple[Fraction, Fraction, Fraction]]:
    """By session the raw, the split-adjusted and the total-return close, in fractions of prices as they are printed.

    A price of a day before the split is a seventh; one of a day before the ex-day is less by what of the close of the
    evening before was paid, both on old shares.
    """
    raw = {
        day: Fraction(row["close"])
        for day in files.sessions(STORED_SESSIONS, up_to)
        for row in files.rows("day_aggs_v1", day)
        if row["ticker"] == ticker
    }
    is_apple = ticker == "AAPL"
    evening_before = max((day for day in raw if day < EX_DAY), default=None)
    found = {}
    for day, close in raw.items():
        adjusted = close / SHARES_FOR_ONE if is_apple and day < SPLIT_DAY else close
        with_dividend = adjusted
        if is_apple and evening_before is not None and day < EX_DAY:
            with_dividend *= 1 - PAID / raw[evening_before]
        found[day] = close, adjusted, with_dividend
    return found


def series_of(replayed: Replayed, ticker: str) -> dict[dt.date, tuple[float, float, float]]:
    return {
        row["trading_date"]: (row["close"], row["split_adjusted_close"], row["total_return_close"])
        for row in replayed.tables["daily_total_return"]
        if row["symbol"] == ticker
    }


def test_apples_closes_are_those_of_exact_arithmetic_on_its_dividend_and_its_split(
    apple: Replayed, files: Files
) -> None:
    wanted = exact_closes(files, "AAPL", apple.day)
    assert min(wanted) < EX_DAY < SPLIT_DAY <= max(wanted)
    found = series_of(apple, "AAPL")
    assert found.keys() == wanted.keys()
    for day, exact in wanted.items():
        assert found[day] == pytest.approx(tuple(map(float, exact)), rel=0, abs=1e-9), day


def test_apples_closes_are_those_that_another_party_has_published(apple: Replayed) -> None:
    """With the ex-day's close as a divisor, as some do it, they would be off by 1e-5; without the dividend by 6e-3."""
    found = series_of(apple, "AAPL")
    for day, published in PUBLISHED.items():
        ratio = found[day][2] / found[SPLIT_DAY][2]
        assert ratio == pytest.approx(published / PUBLISHED[SPLIT_DAY], rel=PUBLISHED_DIGITS), day


def test_the_close_before_apples_ex_day_says_the_rule_in_figures(apple: Replayed) -> None:
    """592.33 on the evening before, by the files: 592.33 / 7 * (1 - 3.29 / 592.33) = 589.04 / 7."""
    raw, adjusted, total_return = series_of(apple, "AAPL")[dt.date(2014, 5, 7)]
    assert raw == 592.33
    assert adjusted == pytest.approx(84.61857142857143, rel=0, abs=1e-9)
    assert total_return == pytest.approx(589.04 / 7, rel=0, abs=1e-9)


@pytest.mark.parametrize("name", ["apple", "columbus"])
def test_shares_that_paid_nothing_have_their_own_closes(
    name: str, request: pytest.FixtureRequest, files: Files
) -> None:
    replayed: Replayed = request.getfixturevalue(name)
    others = {row["symbol"] for row in replayed.tables["daily_total_return"]} - {"AAPL"}
    assert len(others) >= 8
    for ticker in others:
        wanted = {day: tuple(map(float, exact)) for day, exact in exact_closes(files, ticker, replayed.day).items()}
        assert series_of(replayed, ticker) == {day: pytest.approx(closes) for day, closes in wanted.items()}


def test_what_was_paid_before_the_sessions_is_not_asked_for_and_what_comes_after_them_takes_nothing_off(
    apple: Replayed,
) -> None:
    stored = {row["ex_dividend_day"]: (row["cash_amount"], row["verdict"]) for row in apple.tables["stock_dividend"]}
    assert stored == {EX_DAY: (3.29, "unchecked"), dt.date(2014, 8, 7): (0.47, "unchecked")}
    assert {row["dividends_left_out"] for row in apple.tables["daily_total_return"]} == {0}
