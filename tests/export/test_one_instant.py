"""A session is exported as of one instant, whatever a night commits meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import polars as pl
import pytest

from consumer.export import reading
from consumer.export.described import KEY, described
from consumer.export.frames import digest
from consumer.export.outcome import Outcome
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, Stack, new_york
from tests.export.conftest import export

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from consumer.postgres.exported import Piece, Standing

WINDOW = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=DAY)


async def export_and_check(stack: Stack, to: Path, days: Sequence[dt.date]) -> None:
    """Export, and hold every file there is against what it says of itself."""
    await export(stack, to, days)
    for path in to.rglob("*.parquet"):
        frame, about = pl.read_parquet(path, hive_partitioning=False), described(pl.read_parquet_metadata(path)[KEY])
        assert about is not None
        assert (frame.height, digest(frame)) == (about.rows, about.sha256)


@pytest.mark.parametrize("table", ["session_slots", "ticker_atr"])
async def test_what_is_committed_between_two_tables_of_a_session_is_in_neither_file(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    await stack.run_cycle()
    stood = await stack.value(f"SELECT count(*) FROM {table} WHERE trading_date = $1", DAY)
    look = reading.standing

    async def committed_before(connection: Any, piece: Piece) -> Standing:
        if piece.table == table:
            await stack.pool.execute(f"DELETE FROM {table} WHERE trading_date = $1", DAY)
        return await look(connection, piece)

    monkeypatch.setattr(reading, "standing", committed_before)
    await export(stack, to, [DAY], "daily_bars", "volume_slots", "atr")

    assert await stack.value(f"SELECT count(*) FROM {table} WHERE trading_date = $1", DAY) == 0
    folder = "volume_slots" if table == "session_slots" else "atr"
    assert pl.read_parquet(to / f"{folder}/trading_date={DAY}/part.parquet").height == stood


async def test_while_a_night_runs_every_file_is_whole_and_afterwards_as_the_tables(
    stack: Stack, to: Path, postgres_dsn: str
) -> None:
    """The night cannot end before it was exported from twice: its figures wait for a lock that readers do not."""
    await stack.run_cycle()
    next_day = CALENDAR.session_after(DAY).day
    stack.clock.at = new_york(next_day, "20:30")
    days = (*WINDOW, next_day)
    outsider = await asyncpg.connect(postgres_dsn)
    async with stack.working():
        async with outsider.transaction():
            await outsider.execute("LOCK TABLE maintenance.ticker_atr IN SHARE MODE")
            await stack.ask(next_day)
            night = asyncio.create_task(stack.at_rest(after=1))
            for _ in range(2):
                await export_and_check(stack, to, [DAY, next_day])
            assert not night.done()
        await outsider.close()
        while not night.done():
            await export_and_check(stack, to, [DAY, next_day])
        assert (await night).state == "complete"

    told = await export(stack, to, days)

    assert not [one for one in told if one.outcome in (Outcome.MISSING, Outcome.PARTIAL)]
    for table, folder in (("daily_bar", "daily_bars"), ("session_slots", "volume_slots"), ("ticker_atr", "atr")):
        stands = await stack.pool.fetch(f"SELECT * FROM {table} ORDER BY trading_date, symbol")
        every = pl.read_parquet(to / f"{folder}/**/*.parquet", hive_partitioning=False).sort("trading_date", "symbol")
        assert every.rows() == [tuple(row[name] for name in every.columns) for row in stands]
