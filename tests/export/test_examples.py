"""Both examples read an export and find it whole; and find a file whose rows are not those that it says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.cycle.stack import CALENDAR, DAY
from tests.export.conftest import export

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

EXAMPLES = Path(__file__).parents[2] / "examples"


async def run(reader: str, *arguments: str) -> tuple[int | None, list[str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / f"read_export_{reader}.py"), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert err == b""
    return process.returncode, out.decode().splitlines()


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
async def test_the_example_reads_an_export_and_checks_every_row_of_it(stack: Stack, to: Path, reader: str) -> None:
    await stack.run_cycle()
    days = CALENDAR.last_trading_days(5, up_to=DAY)
    await export(stack, to, days)
    code, told = await run(reader, str(to), "AAPL")
    bars = await stack.value("SELECT count(*) FROM daily_bar WHERE trading_date = $1", DAY)
    assert f"{DAY} final {bars} bars" in told
    assert (code, told[-1]) == (0, "15 of 15 files hold what they say")

    file = to / f"volume_slots/trading_date={DAY}/part.parquet"
    kept = {"maintenance": pl.read_parquet_metadata(file)["maintenance"]}
    last = pl.read_parquet(file, hive_partitioning=False).with_columns(pl.col("volumes").list.reverse())
    last.write_parquet(file, metadata=kept)
    code, told = await run(reader, str(to))
    assert (code, told[-2:]) == (
        1, [f"{file} holds other rows than it says", "14 of 15 files hold what they say"],
    )  # fmt: skip
