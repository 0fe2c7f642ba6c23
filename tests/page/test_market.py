"""Market-wide figures: beside the usual of the sessions before, far off where they are, and across no hole."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from consumer.page import market_reader
from consumer.page.market import TRAILING, Figure, Known, MarketDay, market_days
from consumer.postgres.market_figures import MarketFigures
from tests.cycle.stack import CALENDAR, DAY

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

DAYS = CALENDAR.last_trading_days(TRAILING + 3, up_to=DAY)
BEFORE = CALENDAR.previous_trading_day(DAY)


def figures(rows: int = 1000, volume: float = 1e9, unchanged: int = 50) -> MarketFigures:
    return MarketFigures(rows=rows, volume=volume, compared=rows, unchanged=unchanged)


def known(*, without: frozenset[dt.date] = frozenset(), suspect: frozenset[dt.date] = frozenset(), **own: Any) -> Known:
    """Ordinary sessions, but for what the newest one is."""
    usual = {day: figures() for day in DAYS if day not in without}
    usual[DAY] = figures(**own)
    return Known(calendar=CALENDAR, figures=usual, expected=dict.fromkeys(usual, 1000), suspect=suspect)


def newest(some: Known) -> MarketDay:
    return market_days([DAY], some)[0]


def test_an_ordinary_session_is_beside_its_medians_without_a_word() -> None:
    found = newest(known())
    assert found.rows == Figure(value=1000, usual=1000, of=TRAILING)
    assert found.volume == Figure(value=1e9, usual=1e9, of=TRAILING)
    assert found.unchanged == Figure(value=0.05, usual=0.05, of=TRAILING)
    assert found.note is None


@pytest.mark.parametrize(
    ("own", "name", "word"),
    [
        ({"rows": 1100}, "rows", "far above the usual"),
        ({"volume": 0.4e9}, "volume", "far below the usual"),
        ({"volume": 2.5e9}, "volume", "far above the usual"),
        ({"unchanged": 300}, "unchanged", "far above the usual"),
        ({"unchanged": 95}, "unchanged", None),
        ({"unchanged": 0}, "unchanged", None),
        ({"volume": 1.8e9}, "volume", None),
    ],
)
def test_what_is_far_off_has_a_word_and_what_happens_every_month_has_none(
    own: dict[str, Any], name: str, word: str | None
) -> None:
    found: Figure = getattr(newest(known(**own)), name)
    assert found.word == word


def test_rows_that_lack_are_counted_and_make_no_measure_of_the_session() -> None:
    short = known(rows=900)
    assert newest(short).note == "900 of 1,000 rows are there"
    assert newest(short).rows.word == "far below the usual"
    assert not short.measures(DAY)


def test_no_close_is_held_against_a_session_before_a_hole() -> None:
    found = newest(known(without=frozenset({BEFORE})))
    assert found.unchanged.value is None
    assert found.note == "the session before is not stored whole: no close is held against an older one"
    assert (found.rows.usual, found.rows.of) == (1000, TRAILING - 1)


def test_a_hole_or_a_suspect_session_is_no_measure_and_no_older_one_takes_its_place() -> None:
    hole, suspect = DAYS[-5], DAYS[-8]
    found = newest(known(without=frozenset({hole}), suspect=frozenset({suspect})))
    assert (found.rows.of, found.volume.of) == (TRAILING - 2, TRAILING - 2)
    # Nor is the session after the hole a measure of unchanged closes.
    assert found.unchanged.of == TRAILING - 3


def test_in_a_market_of_a_few_symbols_nothing_is_called_far_off() -> None:
    days = {day: figures(rows=22, unchanged=0) for day in DAYS} | {DAY: figures(rows=20, volume=1e8, unchanged=3)}
    found = newest(Known(calendar=CALENDAR, figures=days, expected=dict.fromkeys(days, 1)))
    assert (found.rows.usual, found.rows.word, found.volume.word, found.unchanged.word) == (22, None, None, None)


def test_of_too_few_sessions_nothing_is_said() -> None:
    found = newest(known(without=frozenset(DAYS[:-3])))
    assert found.rows == Figure(value=1000, of=2)


def test_an_early_close_is_held_against_what_half_days_trade() -> None:
    friday = dt.date(2025, 11, 28)
    days = CALENDAR.last_trading_days(TRAILING + 3, up_to=friday)
    some = {day: figures() for day in days} | {friday: figures(volume=0.4e9)}
    (found,) = market_days([friday], Known(calendar=CALENDAR, figures=some, expected=dict.fromkeys(some, 1000)))
    assert (found.early_close, found.volume.word) == (True, None)
    assert found.volume.usual == pytest.approx(0.4e9)


def test_a_session_that_is_not_stored_says_so() -> None:
    (found,) = market_days([DAY], Known(calendar=CALENDAR, figures={}, expected={}))
    assert (found.note, found.rows) == ("not stored", Figure())


async def test_the_figures_are_those_of_the_stored_bars_and_are_read_once_a_load(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    read: list[dt.date] = []
    original = market_reader.read_market_figures

    async def counting(connection: Any, day: dt.date, *, before: dt.date) -> MarketFigures:
        read.append(day)
        return await original(connection, day, before=before)

    monkeypatch.setattr(market_reader, "read_market_figures", counting)
    answer = await (await client.get("/page/market")).json()
    closes: dict[dt.date, dict[str, float]] = defaultdict(dict)
    volumes: dict[dt.date, float] = defaultdict(float)
    for row in await stack.pool.fetch("SELECT symbol, trading_date, close, volume FROM daily_bar"):
        closes[row["trading_date"]][row["symbol"]] = row["close"]
        volumes[row["trading_date"]] += row["volume"]
    found = answer[0]
    assert found["trading_day"] == str(DAY)
    assert found["rows"]["value"] == len(closes[DAY])
    assert found["volume"]["value"] == volumes[DAY]
    both = closes[DAY].keys() & closes[BEFORE].keys()
    assert found["unchanged"]["value"] == sum(closes[DAY][one] == closes[BEFORE][one] for one in both) / len(both)
    measured = [day for day in closes if day < DAY]
    assert (found["volume"]["of"], found["volume"]["usual"]) == (15, median(volumes[day] for day in measured))
    assert len(read) == 16

    read.clear()
    assert await (await client.get("/page/market")).json() == answer
    assert read == []
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", BEFORE)
    await stack.run_cycle(BEFORE, first_day=BEFORE)
    assert await (await client.get("/page/market")).json() == answer
    # The load of one session is another one: its closes, and those held against them.
    assert read == [BEFORE, DAY]
