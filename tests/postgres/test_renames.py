"""Holds renames to the bars: a listing alone moves no history, and what the bars deny later is undone and told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.postgres import bars, splits
from consumer.vendor.rows import TickerRow
from market.splits import Split
from tests.postgres.test_identity import DAYS, NOW, check, history, listed, listing, trade, universe

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Connection

APPLE = TickerRow(ticker="AAPL", composite_figi="FA", share_class_figi="SA", cik="0000000001", type="CS")
NEWCOMERS = [
    pytest.param(TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SA", cik="9"), id="one code of it"),
    pytest.param(TickerRow(ticker="NEWCO", composite_figi="FA", share_class_figi="SA", cik="1"), id="all its codes"),
    pytest.param(TickerRow(ticker="NEWCO", cik="0000000001", type="CS"), id="CIK and type"),
]


async def night(connection: Connection, day: dt.date, *rows: TickerRow, **prices: float) -> list[str]:
    """A listing, the bars of the day, and what was told of both."""
    change = await listing(connection, day, *rows)
    for symbol, price in prices.items():
        assert price > 0, symbol
    await trade(connection, day, **prices)
    return [*map(str, change.changes), *await check(connection)]


@pytest.mark.parametrize("newcomer", NEWCOMERS)
async def test_a_newcomer_with_the_code_of_one_that_trades_on_takes_nothing_from_it(
    connection: Connection, newcomer: TickerRow
) -> None:
    assert await night(connection, DAYS[0], APPLE, AAPL=40.0) == []
    told = await night(connection, DAYS[1], newcomer, AAPL=41.0, NEWCO=40.5)
    assert told == ["AAPL may be NEWCO since 2025-11-11, kept apart: NEWCO is listed with its code, and both trade"]
    assert await night(connection, DAYS[2], newcomer, AAPL=42.0, NEWCO=39.0) == [], "told once"
    assert await night(connection, DAYS[3], APPLE, TickerRow(ticker="NEWCO"), AAPL=43.0, NEWCO=38.0) == []
    assert await history(connection) == {"AAPL": [40.0, 41.0, 42.0, 43.0], "NEWCO": [40.5, 39.0, 38.0]}
    assert (await universe(connection))["AAPL"] == ("listed", None)


async def test_before_the_bars_of_the_day_both_histories_stay_where_they_are(connection: Connection) -> None:
    await night(connection, DAYS[0], listed("FB", "F1"), FB=1.0)
    change = await listing(connection, DAYS[1], listed("META", "F1"))
    assert (change.changes, change.kept) == ((), ()), "the bars of the night tell"
    assert await history(connection) == {"FB": [1.0]}
    await trade(connection, DAYS[1], META=1.1)
    assert await check(connection) == ["FB is META since 2025-11-11"]
    assert await history(connection) == {"META": [1.0, 1.1]}
    assert await universe(connection) == {"FB": ("renamed", None), "META": ("listed", DAYS[1])}
    assert await connection.fetchval("SELECT count(*) FROM ticker_change WHERE kind = 'contested'") == 0


async def test_exchanged_figis_exchange_no_histories_that_go_on_where_they_were(connection: Connection) -> None:
    x, y = TickerRow(ticker="X", composite_figi="FX"), TickerRow(ticker="Y", composite_figi="FY")
    wrong = [TickerRow(ticker="X", composite_figi="FY"), TickerRow(ticker="Y", composite_figi="FX")]
    await night(connection, DAYS[0], x, y, X=38.0, Y=107.0)
    told = await night(connection, DAYS[1], *wrong, X=39.0, Y=106.0)
    assert [line.split(" since")[0] for line in told] == [
        "X may be another company", "Y may be another company", "X may be Y", "Y may be X",
    ]  # fmt: skip
    assert await night(connection, DAYS[2], *wrong, X=39.5, Y=105.0) == [], "told once"
    assert await night(connection, DAYS[3], x, y, X=40.0, Y=104.0) == []
    assert await history(connection) == {"X": [38.0, 39.0, 39.5, 40.0], "Y": [107.0, 106.0, 105.0, 104.0]}


@pytest.mark.parametrize("other", [107.0, 45.0])
async def test_two_companies_that_exchange_their_symbols_take_their_histories_along(
    connection: Connection, other: float
) -> None:
    await night(connection, DAYS[0], listed("X", "F1"), listed("Y", "F2"), X=38.0, Y=other)
    told = await night(connection, DAYS[1], listed("X", "F2"), listed("Y", "F1"), X=other + 1, Y=38.5)
    assert {"X is Y since 2025-11-11", "Y is X since 2025-11-11"} <= set(told)
    assert await night(connection, DAYS[2], listed("X", "F2"), listed("Y", "F1"), X=other + 2, Y=39.0) == []
    assert await history(connection) == {"X": [other, other + 1, other + 2], "Y": [38.0, 38.5, 39.0]}


async def test_a_company_listed_with_the_codes_of_one_that_left_keeps_its_own_history(connection: Connection) -> None:
    await night(connection, DAYS[0], listed("AAPL", "F1"), listed("KO", "F2"), AAPL=38.0, KO=60.0)
    told = await night(connection, DAYS[1], listed("AAPL", "F2"), AAPL=39.0)
    assert [line.split(" since")[0] for line in told] == ["AAPL may be another company", "KO may be AAPL"]
    await night(connection, DAYS[2], listed("AAPL", "F1"), AAPL=40.0)
    assert await history(connection) == {"AAPL": [38.0, 39.0, 40.0], "KO": [60.0]}


async def test_a_company_that_is_renamed_again_and_again_takes_all_of_its_history_along(connection: Connection) -> None:
    names = ("ONE", "TWO", "THREE", "FOUR", "FIVE")
    for number, name in enumerate(names):
        await night(connection, DAYS[number], listed(name, "F1"), **{name: 10.0 + number})
    assert await history(connection) == {"FIVE": [10.0, 11.0, 12.0, 13.0, 14.0]}


async def test_a_rename_that_is_undone_gives_back_all_that_the_company_was_called_before(
    connection: Connection,
) -> None:
    for number, name in enumerate(("ONE", "TWO")):
        was = TickerRow(ticker=name, composite_figi="FA", share_class_figi="SA", cik="0000000001")
        await night(connection, DAYS[number], was, **{name: 39.0 + number})
    await night(connection, DAYS[2], APPLE, AAPL=41.0)
    newcomer = TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SA", cik="9")
    await night(connection, DAYS[3], newcomer, NEWCO=42.0)
    await night(connection, DAYS[4], newcomer, NEWCO=43.0, AAPL=42.5)
    assert await history(connection) == {"AAPL": [39.0, 40.0, 41.0, 42.5], "NEWCO": [42.0, 43.0]}


async def test_a_rename_across_a_split_is_one(connection: Connection) -> None:
    await night(connection, DAYS[0], listed("OLD", "F1"), OLD=70.0)
    split = Split(symbol="NEW", execution_day=DAYS[1], split_from=1.0, split_to=7.0, kind="forward_split")
    await splits.upsert_splits(connection, [split], load_id=1, now=NOW)
    assert await night(connection, DAYS[1], listed("NEW", "F1"), NEW=10.0) == ["OLD is NEW since 2025-11-11"]


async def test_a_rename_that_a_listing_shows_some_days_early_is_dated_by_the_bars(connection: Connection) -> None:
    await night(connection, DAYS[0], listed("OLD", "F1"), OLD=10.0)
    assert await night(connection, DAYS[1], listed("NEW", "F1"), OLD=10.1) == []
    assert await night(connection, DAYS[2], listed("NEW", "F1"), OLD=10.2) == []
    assert await night(connection, DAYS[3], listed("NEW", "F1"), NEW=10.3) == ["OLD is NEW since 2025-11-13"]
    assert await history(connection) == {"NEW": [10.0, 10.1, 10.2, 10.3]}


async def test_a_rename_whose_old_symbol_trades_on_after_all_is_undone(connection: Connection) -> None:
    newcomer = TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SA", cik="9")
    former = TickerRow(ticker="WAS", composite_figi="FA", share_class_figi="SA", cik="0000000001")
    await night(connection, DAYS[0], former, WAS=39.0)
    await night(connection, DAYS[1], APPLE, AAPL=40.0)
    assert await night(connection, DAYS[2], newcomer, NEWCO=41.0) == ["AAPL is NEWCO since 2025-11-12"]
    told = await night(connection, DAYS[3], newcomer, NEWCO=41.5, AAPL=42.0)
    assert told == ["AAPL may be NEWCO since 2025-11-12, kept apart: it trades on, and its history is its own again"]
    assert await night(connection, DAYS[4], newcomer, NEWCO=41.6, AAPL=43.0) == []
    assert await history(connection) == {"AAPL": [39.0, 40.0, 42.0, 43.0], "NEWCO": [41.0, 41.5, 41.6]}
    active = await connection.fetchval("SELECT is_active FROM listed_ticker WHERE symbol = 'AAPL'")
    assert active is True


async def test_a_rename_is_undone_when_the_old_symbol_is_listed_by_itself_again(connection: Connection) -> None:
    await night(connection, DAYS[0], APPLE, AAPL=40.0)
    wrong = TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SA", cik="9")
    assert await night(connection, DAYS[1], wrong, NEWCO=41.0) == ["AAPL is NEWCO since 2025-11-11"]
    right = TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SN", cik="9")
    told = await night(connection, DAYS[2], APPLE, right, NEWCO=41.5)
    assert "AAPL may be NEWCO since 2025-11-11, kept apart: it is listed by itself again, " in told[0]
    assert await history(connection) == {"AAPL": [40.0], "NEWCO": [41.0, 41.5]}
    await bars.replace_bars(connection, DAYS[3], [], load_id=2)
    assert (await universe(connection))["AAPL"] == ("listed", None)
