"""What stands in the folder is answered, what is wrong in it is told with file and line, what it lacks is said."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.checks.finding import Level
from consumer.checks.surroundings import check_folder
from consumer.folder_vendor import tables
from consumer.folder_vendor.minutes import MinuteTables
from consumer.folder_vendor.vendor import FolderVendor
from consumer.vendor.errors import (
    AnswerTooLarge,
    BadAnswer,
    NotEntitled,
    NotYetPublished,
    ProviderUnavailable,
    TickerNotFound,
    VendorError,
)
from consumer.vendor.lacking import Lacking
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.rows import Flaw
from consumer.vendor.sieve import Sieve
from market.trading_calendar import TradingCalendar
from tests.folder_vendor.folders import CLOSING, OPENING, WORLD, fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor

CALENDAR = TradingCalendar()
DAY = dt.date(2025, 11, 11)
BEFORE = CALENDAR.previous_trading_day(DAY)
SINCE, UNTIL = DAY - dt.timedelta(days=30), DAY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, [BEFORE, DAY], split_on=DAY, minutes=1)
    return tmp_path


def sieve() -> Sieve:
    return Sieve(DAY)


async def test_a_folder_answers_what_it_has(folder: Path) -> None:
    vendor: MarketDataVendor = FolderVendor(folder)
    bars = await vendor.grouped_daily(DAY)
    assert {row.T: (row.o, row.h, row.l, row.c, row.v) for row in bars.rows} == {
        symbol: (one.close, one.close + one.range / 2, one.close - one.range / 2, one.close, one.volume)
        for symbol, one in WORLD.items()
    }
    assert [row.ticker for row in (await vendor.list_tickers(sieve=sieve())).rows] == list(WORLD)
    details = await vendor.ticker_details("AAPL", sieve=sieve())
    assert (details.sic_code, details.weighted_shares_outstanding) == ("3571", 1_000_000)
    (split,) = await vendor.list_splits(SINCE, UNTIL, sieve=sieve())
    assert (split.ticker, split.execution_date, split.split_from, split.split_to) == ("SPLT", DAY, 1, 2)
    assert await vendor.list_splits(SINCE, DAY - dt.timedelta(days=1), sieve=sieve()) == []
    (dividend,) = await vendor.list_dividends(SINCE, UNTIL, sieve=sieve())
    assert (dividend.ticker, dividend.ex_dividend_date, dividend.cash_amount) == ("XOM", DAY, 0.26)
    assert (dividend.currency, dividend.frequency, dividend.distribution_type) == ("USD", 4, "recurring")
    assert dividend.pay_date == dt.date(2025, 11, 20)
    assert await vendor.list_dividends(SINCE, DAY - dt.timedelta(days=1), sieve=sieve()) == []
    with pytest.raises(TickerNotFound):
        await vendor.ticker_details("GONE", sieve=sieve())


async def test_minutes_are_summed_into_slots_each_once_and_only_of_their_session(folder: Path) -> None:
    table = folder / f"minutes/{DAY}.csv"
    table.write_text(table.read_text() + "AAPL,09:31:00,1\nAAPL,03:59:00,7\nXOM,10:00:00,-1\n\x00,10:00:00,1\n")
    store: FlatFileStore = MinuteTables(folder)
    assert list(await store.versions(FlatFileKind.MINUTE, [BEFORE, DAY])) == [DAY]
    slots = (await store.fetch(FlatFileKind.MINUTE, DAY)).minute_slots(CALENDAR.session(DAY))
    assert slots.symbols == sorted(WORLD)
    assert {int(slot) for slot in slots.volumes[0].nonzero()[0]} == {OPENING, CLOSING}
    assert slots.volumes.sum() == sum(one.volume for one in WORLD.values())
    assert slots.rejected == {Flaw.DUPLICATE: 1, Flaw.OUTSIDE_GRID: 1, Flaw.VOLUME: 1, Flaw.SYMBOL: 1}
    with pytest.raises(NotYetPublished):
        await store.fetch(FlatFileKind.MINUTE, BEFORE)
    assert await store.versions(FlatFileKind.DAY, [DAY]) == {}, "no second witness of the day's bars"


async def test_a_table_of_minutes_may_say_of_how_many_trades_a_bar_is_made(folder: Path) -> None:
    table = folder / f"minutes/{DAY}.csv"
    table.write_text(
        "symbol,time,volume,trades\nAAPL,09:31:00,10,3\nAAPL,09:32:00,5,2\nAAPL,10:00:00,5,\nAAPL,11:00:00,5,-4\n"
        "MSFT,09:31:00,10,3\nMSFT,09:31:00,9,4\n"
    )
    slots = (await MinuteTables(folder).fetch(FlatFileKind.MINUTE, DAY)).minute_slots(CALENDAR.session(DAY))
    assert slots.trades is not None
    assert slots.trades[0, [OPENING, 72, 84, 0]].tolist() == [5, -1, -1, 0]
    assert slots.trades[1, OPENING] == 4, "a minute that stands twice counts once, the larger"
    assert slots.volumes.sum() == 35.0
    assert slots.rejected == {"field trades": 1, Flaw.DUPLICATE: 1}
    table.write_text("symbol,time,volume,trades\nAAPL,09:31:00,10,three\n")
    with pytest.raises(BadAnswer, match=r"line 2: Expected `int"):
        (await MinuteTables(folder).fetch(FlatFileKind.MINUTE, DAY)).minute_slots(CALENDAR.session(DAY))


@pytest.mark.parametrize(
    ("table", "change", "says"),
    [
        ("daily", lambda text: text.replace("MSFT,400.0", "MSFT,four"), r"line 3: Expected `float`, got `str`"),
        ("daily", lambda text: text.replace("NVDA,100.0", "NVDA,"), r"line 4: .*required field `open`"),
        ("daily", lambda text: text.replace(",volume", ""), r"line 2: more cells than the header has names"),
        ("daily", lambda text: text.replace("volume", "shares"), r"line 2: .*required field `volume`"),
        ("daily", lambda text: text[: text.index("MSFT") + 10], r"line 3: .*required field `high`"),
        ("daily", lambda _: "symbol,open,high,low,close,volume\n", "not one sound bar"),
        ("daily", lambda _: "", "not one sound bar"),
        ("daily", lambda text: text.replace("AAPL", '"AAPL'), "line 2: .*required field `open`"),
        ("daily", lambda text: text.encode().replace(b"AAPL", b"\xff\xfe"), "after line 0: 'utf-8' codec"),
        ("splits", lambda text: text.replace(str(DAY), "11/11/2025"), "line 2: Invalid RFC3339"),
        ("dividends", lambda text: text.replace(str(DAY), "11/11/2025"), "line 2: Invalid RFC3339"),
        ("dividends", lambda text: text.replace("0.26", "a quarter"), "line 2: Expected `float`, got `str`"),
        ("tickers", lambda text: text + "AAPL,again,CS,XNAS,,\n", "names a symbol twice"),
    ],
)
async def test_a_malformed_table_is_refused_with_file_and_line(
    folder: Path, table: str, change: Callable[[Any], Any], says: str
) -> None:
    path = folder / (f"daily/{DAY}.csv" if table == "daily" else f"{table}.csv")
    changed = change(path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    vendor = FolderVendor(folder)
    ask = {
        "daily": lambda: vendor.grouped_daily(DAY),
        "splits": lambda: vendor.list_splits(SINCE, UNTIL, sieve=sieve()),
        "dividends": lambda: vendor.list_dividends(SINCE, UNTIL, sieve=sieve()),
        "tickers": lambda: vendor.list_tickers(sieve=sieve()),
    }[table]
    with pytest.raises(BadAnswer, match=re.escape(str(path)) + ".*" + says):
        await ask()


async def test_a_bar_that_cannot_be_costs_itself_and_is_kept_with_its_reason(folder: Path) -> None:
    path = folder / f"daily/{DAY}.csv"
    path.write_text(path.read_text() + "BAD,10,9,11,10,5\nNAN,nan,9,1,2,5\n")
    bars = await FolderVendor(folder).grouped_daily(DAY)
    assert len(bars.rows) == len(WORLD)
    assert bars.rejected == {Flaw.HIGH_BELOW_LOW: 1, Flaw.PRICE: 1}


async def test_what_is_not_there_is_said_and_never_an_empty_list(folder: Path, tmp_path: Path) -> None:
    vendor, gone = FolderVendor(folder), FolderVendor(tmp_path / "unmounted")
    with pytest.raises(NotYetPublished, match=r"has no daily/2025-11-12\.csv yet"):
        await vendor.grouped_daily(DAY + dt.timedelta(days=1))
    with pytest.raises(ProviderUnavailable, match="is not there: mount it, or correct MARKET_DATA_FOLDER"):
        await gone.grouped_daily(DAY)
    with pytest.raises(ProviderUnavailable, match="is not there"):
        await MinuteTables(tmp_path / "unmounted").versions(FlatFileKind.MINUTE, [DAY])
    (folder / "splits.csv").unlink()
    (folder / "dividends.csv").unlink()
    (folder / "tickers.csv").write_text("symbol\nAAPL\n")
    for asked, lacks in (
        (vendor.list_splits(SINCE, UNTIL, sieve=sieve()), "splits.csv"),
        (vendor.list_dividends(SINCE, UNTIL, sieve=sieve()), "dividends.csv"),
        (vendor.list_floats(sieve=sieve()), "free_float"),
        (vendor.ticker_details("AAPL", sieve=sieve()), "sic or shares"),
        (vendor.list_tickers(active=False, sieve=sieve()), "left the market"),
    ):
        with pytest.raises(NotEntitled, match=lacks):
            await asked
    (folder / "tickers.csv").unlink()
    with pytest.raises(NotYetPublished, match=r"no tickers\.csv"):
        await vendor.list_tickers(sieve=sieve())


async def test_a_vendor_that_has_nothing_yet_lacks_everything_and_answers_nothing() -> None:
    nothing: MarketDataVendor = Lacking("mine")
    for asked in (
        nothing.grouped_daily(DAY), nothing.five_minute_bars("A", DAY, DAY), nothing.daily_bar("A", DAY),
        nothing.list_tickers(sieve=sieve()), nothing.recently_delisted(sieve=sieve()),
        nothing.ticker_details("A", sieve=sieve()), nothing.list_floats(sieve=sieve()),
        nothing.list_splits(DAY, DAY, sieve=sieve()), nothing.list_dividends(DAY, DAY, sieve=sieve()),
        nothing.upcoming_closures(sieve=sieve()),
    ):  # fmt: skip
        with pytest.raises(NotEntitled, match="mine has no "):
            await asked


async def test_a_table_that_was_replaced_is_read_again_and_one_without_end_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = FolderVendor(folder)
    assert len((await vendor.list_tickers(sieve=sieve())).rows) == len(WORLD)
    (folder / "tickers.csv").write_text("symbol\nAAPL\nMSFT\n")
    assert len((await vendor.list_tickers(sieve=sieve())).rows) == 2
    monkeypatch.setattr(tables, "MOST_BYTES", 10)
    with pytest.raises(AnswerTooLarge, match=r"tickers\.csv has \d+ bytes"):
        await FolderVendor(folder).list_tickers(sieve=sieve())


async def test_parquet_of_the_same_columns_is_read_alike(folder: Path) -> None:
    polars = pytest.importorskip("polars")
    vendor = FolderVendor(folder)
    as_csv = await vendor.grouped_daily(DAY)
    path = folder / f"daily/{DAY}.csv"
    polars.read_csv(path).write_parquet(path.with_suffix(".parquet"))
    path.unlink()
    assert (await vendor.grouped_daily(DAY)).rows == as_csv.rows
    path.with_suffix(".parquet").write_bytes(b"no table")
    with pytest.raises(VendorError, match=r"\.parquet cannot be read"):
        await vendor.grouped_daily(DAY)


async def test_the_doctor_says_what_a_folder_lists_or_what_is_wrong_in_it(folder: Path) -> None:
    found = await check_folder(FolderVendor(folder), folder)
    assert (found.level, found.seen) == (Level.OK, f"{folder} lists 5 tickers")
    (folder / "tickers.csv").write_text("ticker\nAAPL\n")
    found = await check_folder(FolderVendor(folder), folder)
    assert found.level is Level.REFUSED
    assert "tickers.csv, line 2: Object missing required field `symbol`" in found.seen
