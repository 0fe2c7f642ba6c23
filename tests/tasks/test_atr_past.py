"""Holds the states that ATR is carried on from to: the value of all stored bars each night, whatever comes late."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from consumer.postgres import bars, splits
from consumer.tasks.atr import compute_atr
from consumer.tasks.part import TaskOptions
from contract import data_sets
from market.atr import wilder_atr
from market.splits import Split, price_factors
from tests.tasks.conftest import CALENDAR, DAY
from tests.tasks.stored_bars import row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.tasks.conftest import Desk

PERIOD = 2
SESSIONS = CALENDAR.last_trading_days(60, up_to=DAY)
NIGHTS = SESSIONS[30:]
SYMBOLS = ("A", "B", "C", "D", *(f"QUIET{number:02}" for number in range(36)))


def evening(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(21), tzinfo=dt.UTC)


async def put(desk: Desk, random: Random, day: dt.date, *, at: dt.datetime | None = None) -> None:
    """Store a session's bars, or other ones in their place; not every symbol trades."""
    rows = [row(symbol, random.uniform(5, 50), random.uniform(0.1, 2)) for symbol in SYMBOLS if random.random() < 0.9]
    async with desk.pool.acquire() as connection:
        await bars.replace_bars(connection, day, rows, load_id=1)
        await connection.execute(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) VALUES ($1, $2, 1, $3, 1) "
            "ON CONFLICT (data_set, trading_day) DO UPDATE SET fetched_at = excluded.fetched_at",
            data_sets.DAILY_BARS, day, at or evening(day),
        )  # fmt: skip


async def night(desk: Desk, day: dt.date, *, force: bool = False) -> dict[str, float]:
    desk.now = evening(day) + dt.timedelta(hours=1)
    await desk.run(compute_atr, day=day, force=force)
    rows = await desk.pool.fetch("SELECT symbol, atr FROM ticker_atr WHERE trading_date = $1", day)
    return {r["symbol"]: r["atr"] for r in rows}


async def of_all_bars(desk: Desk, day: dt.date) -> dict[str, float]:
    """The scalar ATR of each symbol over everything that is stored since its last hole."""
    proven = {r[0] for r in await desk.pool.fetch("SELECT trading_day FROM coverage WHERE data_set = 'daily_bars'")}
    holes = [one for one in SESSIONS if one < day and one not in proven]
    own = {r[0]: r[1] for r in await desk.pool.fetch("SELECT symbol, max(trading_day) FROM set_aside GROUP BY 1")}
    listed = await splits.read_splits(desk.pool, after=dt.date.min, up_to=day)
    found: dict[str, float] = {}
    rows = await desk.pool.fetch("SELECT * FROM daily_history WHERE trading_date <= $1 ORDER BY trading_date", day)
    for symbol in {r["symbol"] for r in rows}:
        since = max([dt.date.min, *holes, *([own[symbol]] if symbol in own else [])])
        mine = [r for r in rows if r["symbol"] == symbol and r["trading_date"] > since]
        days = np.array([r["trading_date"] for r in mine], dtype="datetime64[D]")
        factors = price_factors(days, listed.get(symbol, []), as_of=day)
        high, low, close = (np.array([r[name] for r in mine]) * factors for name in ("high", "low", "close"))
        recent = [r for r in mine if r["trading_date"] >= CALENDAR.last_trading_days(5, up_to=day)[0]]
        if len(mine) > PERIOD and recent:
            found[symbol] = float(wilder_atr(high, low, close, period=PERIOD)[-1])
    return found


async def list_split(desk: Desk, executed_on: dt.date) -> None:
    async with desk.pool.acquire() as connection:
        late = Split(symbol="A", execution_day=executed_on, split_from=1.0, split_to=7.0, kind="forward_split")
        await splits.upsert_splits(connection, [late], load_id=1, now=desk.now)


async def rename(desk: Desk, on: dt.date) -> None:
    """B's company is C's since that day, and B is another company's."""
    await desk.pool.execute(
        "INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, found_at) "
        "VALUES ('B', $1, 'renamed', 'C', $2)",
        on, desk.now,
    )  # fmt: skip
    await desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, issuer_since) "
        "VALUES ($1, true, $2, $3, $3, $2)",
        [("B", on, desk.now), ("C", on, desk.now)],
    )


async def set_aside(desk: Desk, day: dt.date) -> None:
    await desk.pool.execute("DELETE FROM daily_bar WHERE symbol = 'D' AND trading_date = $1", day)
    await desk.pool.execute(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol) "
        "VALUES (1, 'daily_bars', $1, 'price', '{}', 'D')", day,
    )  # fmt: skip


async def lose(desk: Desk, day: dt.date) -> None:
    await desk.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", day)


LATE: dict[str, Callable[[Desk, Random], Awaitable[None]]] = {
    "nothing": lambda desk, _: desk.pool.execute("SELECT 1"),
    "a split of long ago is listed": lambda desk, _: list_split(desk, SESSIONS[20]),
    "a split of the window": lambda desk, _: list_split(desk, SESSIONS[38]),
    "a split of tomorrow": lambda desk, _: list_split(desk, SESSIONS[41]),
    "a rename of long ago is found": lambda desk, _: rename(desk, SESSIONS[20]),
    "a rename of yesterday": lambda desk, _: rename(desk, SESSIONS[39]),
    "a session of long ago is restated": lambda desk, random: put(desk, random, SESSIONS[25], at=desk.now),
    "a session of the window is restated": lambda desk, random: put(desk, random, SESSIONS[39], at=desk.now),
    "older history is backfilled": lambda desk, random: put(desk, random, SESSIONS[2], at=desk.now),
    "a session of long ago is lost": lambda desk, _: lose(desk, SESSIONS[25]),
    "a session of the window is lost": lambda desk, _: lose(desk, SESSIONS[38]),
    "a row of the window is set aside": lambda desk, _: set_aside(desk, SESSIONS[39]),
}


@pytest.mark.parametrize("late", LATE)
async def test_night_after_night_the_atr_is_that_of_all_stored_bars_whatever_comes_late(desk: Desk, late: str) -> None:
    desk.options = TaskOptions(ohlc_sessions=5, atr_period=PERIOD)
    random = Random(late)
    for day in SESSIONS[3:40]:
        await put(desk, random, day)
    for number, day in enumerate(SESSIONS[37:46], start=37):
        if number >= 40:
            await put(desk, random, day)
        if number == 41:
            await LATE[late](desk, random)
        found, wanted = await night(desk, day), await of_all_bars(desk, day)
        assert found.keys() == wanted.keys(), day
        assert found == pytest.approx(wanted, rel=1e-9), day


async def test_a_quiet_night_reads_only_the_sessions_since_and_one_that_is_forced_reads_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.options = TaskOptions(ohlc_sessions=5, atr_period=PERIOD)
    random = Random(1)
    for day in SESSIONS[:42]:
        await put(desk, random, day)
    read: list[dt.date] = []
    whole = bars.read_sessions

    async def noted(*arguments: object, since: dt.date, up_to: dt.date) -> bars.NumberedBars:
        read.append(since)
        return await whole(*arguments, since=since, up_to=up_to)  # type: ignore[arg-type]

    monkeypatch.setattr(bars, "read_sessions", noted)
    await night(desk, SESSIONS[40])
    assert min(read) == SESSIONS[0]
    read.clear()
    await night(desk, SESSIONS[41])
    assert min(read) == SESSIONS[36], "the window and the session that it has left"
    read.clear()
    await night(desk, SESSIONS[41], force=True)
    assert min(read) == SESSIONS[0]


async def test_a_night_of_an_older_day_takes_no_state_back(desk: Desk) -> None:
    desk.options = TaskOptions(ohlc_sessions=5, atr_period=PERIOD)
    random = Random(2)
    for day in SESSIONS[:45]:
        await put(desk, random, day)
    await night(desk, SESSIONS[44])
    kept = await desk.pool.fetchval("SELECT as_of FROM atr_past")
    await night(desk, SESSIONS[30])
    assert await desk.pool.fetchval("SELECT as_of FROM atr_past") == kept == SESSIONS[39]
