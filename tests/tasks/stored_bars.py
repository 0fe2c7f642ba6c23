"""Puts bars of a few symbols into a desk's ledger, and reads the ATR that is computed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.postgres import bars
from consumer.tasks.atr import compute_atr
from consumer.tasks.splits import load_splits
from consumer.vendor.rows import DailyRow, SplitRow
from contract import data_sets
from tests.tasks.conftest import CALENDAR, DAY

if TYPE_CHECKING:
    import datetime as dt

    from tests.tasks.conftest import Desk

SINCE = CALENDAR.last_trading_days(30, up_to=DAY)[0]


def row(symbol: str, close: float = 10.0, spread: float = 1.0) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close + spread, l=close - spread, c=close, v=100.5, t=0)


def split(symbol: str, day: dt.date, to: float = 7.0, from_: float = 1.0) -> SplitRow:
    return SplitRow(ticker=symbol, execution_date=day, split_from=from_, split_to=to, adjustment_type="forward_split")


async def put_bars(desk: Desk, rows_of_day: Any, *, sessions: int) -> None:
    async with desk.pool.acquire() as connection:
        for number, day in enumerate(CALENDAR.last_trading_days(sessions, up_to=DAY)):
            await bars.replace_bars(connection, day, rows_of_day(number, day), load_id=1)
    for day in CALENDAR.last_trading_days(sessions, up_to=DAY):
        await desk.cover(data_sets.DAILY_BARS, day=day)


async def atr_of(desk: Desk) -> dict[str, tuple[float, float, int]]:
    await desk.run(compute_atr)
    rows = await desk.pool.fetch("SELECT * FROM ticker_atr WHERE trading_date = $1", DAY)
    return {r["symbol"]: (r["atr"], r["atr_percent"], r["bars_used"]) for r in rows}


async def load_listed(desk: Desk, *rows: SplitRow) -> tuple[str, ...]:
    desk.vendor.answers["list_splits"] = list(rows)
    return (await desk.run(load_splits, {"since": SINCE.isoformat()})).warnings
