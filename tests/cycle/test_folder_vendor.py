"""A night from a plain folder of tables comes to the figures that are known, and asks no other vendor anything."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from consumer.folder_vendor.minutes import MinuteTables
from consumer.folder_vendor.vendor import FolderVendor
from market.data_source import folder_source
from tests.cycle.stack import CALENDAR, DAY, Clock, Market, Stack, stack_on
from tests.folder_vendor.folders import CLOSING, OPENING, SPLITS, WORLD, fill, write_day

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SESSIONS = CALENDAR.last_trading_days(30, up_to=DAY)
SPLIT_ON = SESSIONS[-8]


@contextlib.asynccontextmanager
async def stack_of(folder: Path, dsn: str, redis_url: str, clock: Clock, market: Market) -> AsyncIterator[Stack]:
    files = MinuteTables(folder) if (folder / "minutes").is_dir() else None
    async with stack_on(
        dsn, redis_url, market, clock, vendor=FolderVendor(folder), source=folder_source(folder), flat_files=files
    ) as stack:
        yield stack


@pytest.fixture
async def stack(
    tmp_path: Path, postgres_dsn: str, redis_url: str, clock: Clock, market: Market
) -> AsyncIterator[Stack]:
    fill(tmp_path, SESSIONS, split_on=SPLIT_ON)
    async with stack_of(tmp_path, postgres_dsn, redis_url, clock, market) as found:
        yield found


async def test_a_night_from_a_folder_is_whole_and_its_figures_are_the_known_ones(stack: Stack) -> None:
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    status = await stack.status()
    assert (status["state"], status["not_in_plan"]) == ("final", ["floats"])
    assert await stack.market.requests() == {}, "no other vendor was asked anything"

    atr = {symbol: json.loads(text) for symbol, text in (await stack.redis.hgetall("atr:daily")).items()}
    assert {symbol: found["atr"] for symbol, found in atr.items()} == {
        symbol: pytest.approx(one.range) for symbol, one in WORLD.items()
    }, "the split is no jump"
    averages = await stack.redis.hgetall("rvol:hist:avg:AAPL:5")
    assert (averages[str(OPENING)], averages[str(CLOSING)]) == ("10000", "30000")
    company = json.loads(str(await stack.redis.get(f"metadata:ticker:{SPLITS}")))
    assert (company["company_name"], company["exchange"], company["sector"]) == ("SPLT Inc", "XNAS", "Technology")
    assert company["shares_outstanding"] == 1_000_000
    trades = status["data_sets"]["slot_trades"]
    assert (trades["state"], trades["condition"]) == ("missing", "pending"), "its minutes have no column of trades"
    assert await stack.redis.keys("trades:baseline:*") == []
    sources = await stack.value("SELECT array_agg(DISTINCT source ORDER BY source) FROM data_load")
    assert sources == ["computed", "folder:flat_files", "folder:rest"]


async def test_what_a_folder_has_no_table_of_is_named_and_never_taken_for_data(
    tmp_path: Path, postgres_dsn: str, redis_url: str, clock: Clock, market: Market
) -> None:
    fill(tmp_path, SESSIONS, split_on=SPLIT_ON, minutes=0)
    (tmp_path / "splits.csv").unlink()
    tickers = (tmp_path / "tickers.csv").read_text().splitlines()
    (tmp_path / "tickers.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in tickers))
    async with stack_of(tmp_path, postgres_dsn, redis_url, clock, market) as stack:
        cycle = await stack.run_cycle()
        status = await stack.status()
    assert (cycle.state, cycle.missing) == ("complete", ())
    assert status["not_in_plan"] == ["details", "floats", "splits", "volume_slots"]
    assert status["state"] == "final"


async def test_a_session_without_a_table_is_waited_for_and_a_broken_one_is_named_with_its_line(
    stack: Stack, tmp_path: Path
) -> None:
    table = tmp_path / f"daily/{DAY}.csv"
    table.unlink()
    cycle = await stack.run_cycle()
    assert cycle.state == "waiting"
    assert f"ohlc_daily bars:{DAY}: NotYetPublished: the folder {tmp_path} has no daily/{DAY}.csv yet" in cycle.missing

    write_day(tmp_path, DAY, split_on=SPLIT_ON)
    sound = table.read_text()
    table.write_text(sound.replace("MSFT,400.0", "MSFT,four hundred"))
    cycle = await stack.next_pass()
    (line,) = [line for line in cycle.missing if line.startswith(f"ohlc_daily bars:{DAY}")]
    assert f"{table}, line 3: Expected `float`, got `str` - at `$.open`" in line
    assert not await stack.value(
        "SELECT count(*) FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", DAY
    )

    table.write_text(sound)
    assert (await stack.next_pass()).state == "complete"
