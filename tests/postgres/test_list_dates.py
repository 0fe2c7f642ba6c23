"""Holds list dates to: one cuts a history only where nobody traded right before it; else it is told, and kept."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.postgres import bars, details, tickers
from consumer.postgres.list_dates import judge_list_dates
from consumer.postgres.slots import SlotDay, write_slots
from consumer.vendor.rows import DailyRow, TickerDetails, TickerRow
from tests.tasks.conftest import CALENDAR

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAYS = CALENDAR.last_trading_days(12, up_to=dt.date(2025, 11, 14))
NOW = dt.datetime(2025, 11, 15, 2, tzinfo=dt.UTC)


async def lived(connection: Connection, *traded: int, list_date: dt.date | None = DAYS[8], later: float = 5.0) -> None:
    """A symbol that traded on those of twelve sessions, at 1 and from the ninth on at *later*, and its details."""
    rows = [TickerRow(ticker="A", composite_figi="F1"), TickerRow(ticker="Z", composite_figi="F2")]
    await tickers.apply_listing(connection, rows, tickers.Evening(day=DAYS[-1], now=NOW))
    for number, day in enumerate(DAYS):
        names = ["Z"] + (["A"] if number in traded else [])
        price = later if number >= 8 else 1.0
        rows_of_day = [DailyRow(T=name, o=price, h=price, l=price, c=price, v=1.0, t=0) for name in names]
        await bars.replace_bars(connection, day, rows_of_day, load_id=1)
        await connection.execute(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
            "VALUES ('daily_bars', $1, 1, $2, 1)",
            day, NOW,
        )  # fmt: skip
    await details.store_details(connection, [TickerDetails(ticker="A", list_date=list_date)], [], now=NOW)


async def seen(connection: Connection) -> list[dt.date]:
    rows = await connection.fetch("SELECT trading_date FROM daily_history WHERE symbol = 'A' ORDER BY 1")
    return [row["trading_date"] for row in rows]


async def told(connection: Connection) -> list[str]:
    return [str(change) for change in await judge_list_dates(connection, now=NOW)]


async def test_a_list_date_that_the_bars_contradict_cuts_nothing_and_is_told_once(connection: Connection) -> None:
    await lived(connection, *range(12))
    assert await seen(connection) == list(DAYS), "nor before anything is decided"
    assert await told(connection) == [
        f"A may be another company since {DAYS[8]}, history kept: its list date, and it traded before"
    ]
    assert await told(connection) == []
    assert await seen(connection) == list(DAYS)
    assert await connection.fetchval("SELECT list_date FROM ticker_profile WHERE symbol = 'A'") == DAYS[8]


async def test_a_list_date_after_a_break_cuts_off_whoever_had_the_symbol_before(connection: Connection) -> None:
    await lived(connection, 0, 1, 2, 8, 9, 11)
    assert await told(connection) == [f"A belongs to another company since {DAYS[8]}"]
    assert await seen(connection) == [DAYS[8], DAYS[9], DAYS[11]]
    assert await told(connection) == []


async def test_a_price_that_goes_on_after_a_pause_is_no_break_and_the_list_date_is_told_once(
    connection: Connection,
) -> None:
    await lived(connection, 0, 1, 2, 9, 11, later=1.2)
    assert await told(connection) == [
        f"A may be another company since {DAYS[8]}, history kept: its list date, and the price goes on after a pause"
    ]
    assert await told(connection) == []
    assert await seen(connection) == [DAYS[0], DAYS[1], DAYS[2], DAYS[9], DAYS[11]]


async def test_a_list_date_in_a_pause_waits_for_the_price_after_it(connection: Connection) -> None:
    await lived(connection, 0, 1, 2)
    assert await told(connection) == []
    assert await seen(connection) == list(DAYS[:3])


async def test_a_trade_in_the_week_before_is_no_break(connection: Connection) -> None:
    await lived(connection, 0, 5, 8, 9)
    await told(connection)
    assert await seen(connection) == [DAYS[0], DAYS[5], DAYS[8], DAYS[9]]


async def test_a_young_company_is_no_news_and_was_nobodys_before(connection: Connection) -> None:
    await lived(connection, 8, 9, 10, 11)
    empty = [SlotDay(day=day, symbol="A", outcome="no_trades") for day in DAYS[6:]]
    await write_slots(connection, empty, fetched_at=NOW, load_id=1)
    assert await told(connection) == []
    assert await connection.fetchval("SELECT issuer_since FROM listed_ticker WHERE symbol = 'A'") == DAYS[8]
    assert await connection.fetchval("SELECT min(trading_date) FROM session_slots") == DAYS[8]


async def test_a_list_date_before_the_stored_sessions_or_after_them_decides_nothing(connection: Connection) -> None:
    await lived(connection, *range(12), list_date=DAYS[0])
    assert await told(connection) == []
    for list_date in (DAYS[0] - dt.timedelta(days=900), dt.date(2099, 1, 1)):
        await details.store_details(connection, [TickerDetails(ticker="A", list_date=list_date)], [], now=NOW)
        assert await told(connection) == []
    assert await seen(connection) == list(DAYS)


async def test_a_list_date_corrected_to_an_earlier_day_gives_back_what_it_had_cut(connection: Connection) -> None:
    await lived(connection, 0, 1, 8, 9)
    await told(connection)
    earlier = DAYS[0] - dt.timedelta(days=300)
    await details.store_details(connection, [TickerDetails(ticker="A", list_date=earlier)], [], now=NOW)
    assert await told(connection) == []
    assert await seen(connection) == [DAYS[0], DAYS[1], DAYS[8], DAYS[9]]
