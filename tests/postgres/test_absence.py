"""Holds absence to: a listing that lacks a symbol takes it out of the market only where its bars have ended too."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres import absence, bars, tickers
from consumer.postgres.slots import SlotDay, mark_unproven, write_slots
from consumer.vendor.rows import DailyRow, TickerRow

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAYS = tuple(dt.date(2025, 11, day) for day in (10, 11, 12, 13, 14))
NOW = dt.datetime(2025, 11, 15, 2, tzinfo=dt.UTC)


async def listing(connection: Connection, day: dt.date, *symbols: str, **options: Any) -> tickers.UniverseChange:
    rows = [TickerRow(ticker=symbol, composite_figi=f"F{symbol}") for symbol in symbols]
    return await tickers.apply_listing(connection, rows, tickers.Evening(day=day, now=NOW), **options)


async def trade(connection: Connection, day: dt.date, **volumes: float) -> None:
    rows = [DailyRow(T=name, o=1.0, h=1.0, l=1.0, c=1.0, v=volume, t=0) for name, volume in volumes.items()]
    await bars.replace_bars(connection, day, rows, load_id=1)


async def row_of(connection: Connection, symbol: str) -> tuple[Any, ...]:
    row = await connection.fetchrow(
        "SELECT is_active, state, missing_since, missed_listings FROM listed_ticker WHERE symbol = $1", symbol
    )
    return tuple(row or ())


@pytest.fixture
async def traded(connection: Connection) -> Connection:
    """Two companies that are listed and trade."""
    await listing(connection, DAYS[0], "A", "B")
    await trade(connection, DAYS[0], A=5.0, B=5.0)
    return connection


async def test_what_trades_stays_and_the_absence_is_told(traded: Connection) -> None:
    change = await listing(traded, DAYS[0], "B")
    assert (change.removed, change.active) == (0, 2)
    assert change.kept == (absence.Kept(symbol="A", traded_on=DAYS[0]),)
    assert await row_of(traded, "A") == (True, "listed", DAYS[0], 0)
    assert await traded.fetchval("SELECT is_actively_trading FROM ticker_profile WHERE symbol = 'A'")


async def test_it_goes_the_same_night_when_its_bars_have_ended_too(traded: Connection) -> None:
    await listing(traded, DAYS[1], "B")
    assert await absence.settle_missing(traded, now=NOW) == []
    await trade(traded, DAYS[1], B=5.0)
    assert await absence.settle_missing(traded, now=NOW) == ["A"]
    assert await row_of(traded, "A") == (False, "unlisted", None, 0)
    assert not await traded.fetchval("SELECT is_actively_trading FROM ticker_profile WHERE symbol = 'A'")


async def test_a_bar_without_volume_does_not_speak_for_it(traded: Connection) -> None:
    await trade(traded, DAYS[1], A=0.0, B=5.0)
    assert (await listing(traded, DAYS[1], "B")).removed == 1


async def test_a_bar_that_was_set_aside_does_not_say_that_nobody_traded(traded: Connection) -> None:
    await trade(traded, DAYS[1], B=5.0)
    await traded.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
        "VALUES ('daily_bars', $1, 1, $2, 7)",
        DAYS[1], NOW,
    )  # fmt: skip
    await traded.execute(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol) "
        "VALUES (7, 'daily_bars', $1, 'price', '{}', 'A')",
        DAYS[1],
    )
    assert (await listing(traded, DAYS[1], "B")).kept == (absence.Kept(symbol="A", traded_on=DAYS[1]),)
    empty = SlotDay(day=DAYS[1], symbol="A", outcome="no_trades")
    await write_slots(traded, [empty], fetched_at=NOW, load_id=1)
    assert await mark_unproven(traded, [DAYS[1]]) == 1
    await traded.execute("UPDATE coverage SET load_id = 8")
    assert await mark_unproven(traded, [DAYS[1]]) == 0, "a later load of the session had no such row"


async def test_three_further_listings_of_later_days_outweigh_the_bars(traded: Connection) -> None:
    for number, day in enumerate(DAYS[:4]):
        await trade(traded, day, A=5.0, B=5.0)
        await listing(traded, day, "B")
        assert await row_of(traded, "A") == (
            (True, "listed", DAYS[0], number) if number < 3 else (False, "unlisted", None, 0)
        )
        await listing(traded, day, "B")  # another listing of the same day counts no more


async def test_listings_that_have_it_again_begin_the_count_anew(traded: Connection) -> None:
    for day in DAYS[:3]:
        await listing(traded, day, "B")
    await listing(traded, DAYS[3], "A", "B")
    assert await row_of(traded, "A") == (True, "listed", None, 0)
    await trade(traded, DAYS[4], A=5.0, B=5.0)
    await listing(traded, DAYS[4], "B")
    assert await row_of(traded, "A") == (True, "listed", DAYS[4], 0)


def gone(symbol: str, figi: str | None, on: str | None) -> TickerRow:
    return TickerRow(ticker=symbol, composite_figi=figi, delisted_utc=on)


async def test_a_delisting_counts_where_it_is_of_the_same_company_and_no_bar_denies_it(connection: Connection) -> None:
    delistings = {
        "SAME": (gone("SAME", "FSAME", "2025-11-11T00:00:00Z"), "delisted"),
        "BARE": (gone("BARE", None, "2025-11-10"), "delisted"),
        "OTHER": (gone("OTHER", "F9", "2025-11-11T00:00:00Z"), "listed"),
        "AHEAD": (gone("AHEAD", "FAHEAD", "2031-01-01T00:00:00Z"), "listed"),
        "NODAY": (gone("NODAY", "FNODAY", "9999-99-99"), "listed"),
        "NONE": (gone("NONE", "FNONE", None), "listed"),
        "LATER": (gone("LATER", "FLATER", "2025-10-01T00:00:00Z"), "listed"),
    }
    await listing(connection, DAYS[0], "B", *delistings)
    await trade(connection, DAYS[0], B=5.0, **dict.fromkeys(delistings, 5.0))
    await listing(connection, DAYS[1], "B", delisted=[row for row, _ in delistings.values()])
    found = {symbol: (await row_of(connection, symbol))[:2] for symbol in delistings}
    assert found == {symbol: (state == "listed", state) for symbol, (_, state) in delistings.items()}


async def test_a_symbol_of_which_another_company_left_is_only_unlisted(traded: Connection) -> None:
    await trade(traded, DAYS[1], B=5.0)
    await listing(traded, DAYS[1], "B", delisted=[gone("A", "OTHER", "2025-11-11")])
    assert (await row_of(traded, "A"))[1] == "unlisted"


async def test_a_symbol_that_a_later_listing_brings_is_expected_from_that_day_or_the_next(
    connection: Connection,
) -> None:
    async def covered(day: dt.date) -> None:
        await connection.execute(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
            "VALUES ('universe', $1, 1, $2, 1)",
            day, NOW,
        )  # fmt: skip

    await tickers.note_others(connection, ["C"], state="otc", day=DAYS[0], now=NOW)
    await listing(connection, DAYS[0], "A")
    await covered(DAYS[0])
    await listing(connection, DAYS[1], "A", "B")
    await covered(DAYS[1])
    await listing(connection, DAYS[1], "A", "B", "C")
    rows = await connection.fetch("SELECT symbol, listed_from FROM listed_ticker ORDER BY 1")
    assert [tuple(row) for row in rows] == [("A", None), ("B", DAYS[1]), ("C", DAYS[2])]
