"""Lists dividends at a desk, holds them against its bars, and reads what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.postgres import bars
from consumer.tasks.dividends import check_dividends, load_dividends
from consumer.tasks.splits import check_splits
from consumer.vendor.rows import DailyRow, DividendRow
from contract import data_sets
from tests.tasks.conftest import CALENDAR, DAY
from tests.tasks.stored_bars import SINCE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from tests.tasks.conftest import Desk

DAYS = CALENDAR.last_trading_days(20, up_to=DAY)
#: A share that opens where it closed, twenty sessions long.
LEVEL = dict.fromkeys(DAYS, 100.0)


def bar(symbol: str, opened: float, closed: float | None = None) -> DailyRow:
    close = opened if closed is None else closed
    return DailyRow(T=symbol, o=opened, h=max(opened, close), l=min(opened, close), c=close, v=1.0, t=0)


def paid(symbol: str, day: dt.date, amount: float = 10.0, **other: Any) -> DividendRow:
    fields = {"currency": "USD", "distribution_type": "special", "frequency": 0, **other}
    return DividendRow(ticker=symbol, ex_dividend_date=day, cash_amount=amount, **fields)


def fallen(*, on: dt.date, to: float = 90.0) -> dict[dt.date, float]:
    """The level share, whose price is *to* from a day on."""
    return {day: to if day >= on else price for day, price in LEVEL.items()}


async def put(desk: Desk, **shares: Mapping[dt.date, float]) -> None:
    """Bars of *shares*, which open and close at a price a day; sessions that none has are holes."""
    days = sorted({day for share in shares.values() for day in share})
    async with desk.pool.acquire() as connection:
        for day in days:
            rows = [bar(symbol, share[day]) for symbol, share in shares.items() if day in share]
            await bars.replace_bars(connection, day, rows, load_id=1)
    for day in days:
        await desk.cover(data_sets.DAILY_BARS, day=day)


async def listed(desk: Desk, *rows: DividendRow) -> tuple[str, ...]:
    """Have the vendor list *rows* and load them; what is told of it."""
    desk.vendor.answers["list_dividends"] = list(rows)
    return (await desk.run(load_dividends, {"since": SINCE.isoformat()})).warnings


async def checked(desk: Desk) -> tuple[str, ...]:
    """Hold splits and dividends against prices; what is told of the dividends."""
    await desk.run(check_splits)
    return (await desk.run(check_dividends)).warnings


async def verdicts(desk: Desk) -> dict[tuple[str, dt.date, float], str]:
    rows = await desk.pool.fetch("SELECT symbol, ex_dividend_day, cash_amount, verdict FROM stock_dividend")
    return {(row["symbol"], row["ex_dividend_day"], row["cash_amount"]): row["verdict"] for row in rows}


async def series(desk: Desk, symbol: str) -> dict[dt.date, tuple[float, float | None, int]]:
    """By day the split-adjusted close, the total-return close and how many dividends are left out of that."""
    rows = await desk.pool.fetch(
        "SELECT trading_date, split_adjusted_close, total_return_close, dividends_left_out "
        "FROM public.daily_total_return WHERE symbol = $1 ORDER BY 1",
        symbol,
    )
    return {row["trading_date"]: tuple(row)[1:] for row in rows}
