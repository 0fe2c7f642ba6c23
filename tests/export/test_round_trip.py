"""What an export holds is what the tables hold, row by row, whichever reader opens it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from consumer.export.described import KEY, described
from consumer.export.exportable import exportable, wanted
from consumer.export.outcome import Outcome
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, Stack
from tests.export.conftest import by_duckdb, export

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.export.exportable import Exportable

WINDOW = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=DAY)
ODD = ("ODD.A", "ODDp", "ODD.PRB", "ODD.WS", "ODD.RTw", "ODD~Y", "ODD-B", "ODD=1", "ODD/U")


async def put_odd_rows(stack: Stack) -> None:
    """Rows with every value that a column can have beside the usual: no price, no count, fractions, odd letters."""
    load = await stack.value("SELECT min(load_id) FROM daily_bar WHERE trading_date = $1", DAY)
    for number, symbol in enumerate(ODD):
        await stack.pool.execute(
            "INSERT INTO daily_bar (trading_date, symbol, open, high, low, close, volume, vwap, trades_count, load_id) "
            "VALUES ($1, $2, 0.1, 0.30000000000000004, 0.1, 0.3, 123456.789, $3, $4, $5)",
            DAY, symbol, None if number % 2 else 0.2, None if number % 3 else 1_000_003, load,
        )  # fmt: skip
        await stack.pool.execute(
            "INSERT INTO session_slots (trading_date, symbol, outcome, volumes, fetched_at, load_id) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            DAY, symbol, "unproven" if number % 2 else "traded",
            None if number % 2 else [0.0, 1 / 3, 7.5, *range(189)],
            dt.datetime(2025, 11, 12, 1, 20, 0, 123457, tzinfo=dt.UTC), load,
        )  # fmt: skip


async def rows_of(stack: Stack, one: Exportable, day: dt.date | None) -> list[tuple[Any, ...]]:
    """What stands in the table, as the driver reads it value by value; by the order of the file."""
    where = f"WHERE {one.table.day_column} = $1" if day else "WHERE $1::date IS NULL"
    rows = await stack.pool.fetch(f"SELECT {', '.join(one.types)} FROM {one.table.name} {where}", day)
    by = list(one.types).index("symbol")
    return sorted((tuple(row) for row in rows), key=lambda row: (row[by], row[1] if one.folder == "splits" else 0))


@pytest.mark.parametrize("one", exportable(), ids=lambda one: one.folder)
async def test_every_file_holds_the_rows_of_its_table_by_polars_and_by_duckdb(
    stack: Stack, to: Path, one: Exportable
) -> None:
    assert (await stack.run_cycle()).state == "complete"
    await put_odd_rows(stack)

    told = await export(stack, to, WINDOW, one.data_set.name)

    written = [each for each in told if each.outcome is Outcome.WRITTEN]
    assert written, "nothing was written"
    for each in written:
        day = each.trading_day
        stands = await rows_of(stack, one, day)
        frame = pl.read_parquet(to / each.key, hive_partitioning=False)
        assert frame.columns == list(one.types)
        assert frame.rows() == stands, each.key
        columns = ", ".join(
            f"epoch_us({name})" if type_ == "timestamp with time zone" else name for name, type_ in one.types.items()
        )
        assert by_duckdb(f"SELECT {columns} FROM read_parquet('{to / each.key}', hive_partitioning = false)") == [
            tuple(microseconds(value) for value in row) for row in stands
        ]


def microseconds(value: object) -> object:
    """DuckDB gives instants of a zone only with a library that we do not have: it is asked for numbers."""
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return value


async def test_a_file_says_of_what_it_is_and_how_sound_it_is(stack: Stack, to: Path) -> None:
    stack.clock.at -= dt.timedelta(hours=2)  # before the session is final
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    about = described(pl.read_parquet_metadata(to / f"daily_bars/trading_date={DAY}/part.parquet")[KEY])
    assert about is not None
    loads = await stack.pool.fetch("SELECT DISTINCT load_id FROM daily_bar WHERE trading_date = $1", DAY)
    covered = await stack.pool.fetchrow(
        "SELECT load_id, fetched_at FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", DAY
    )
    assert covered is not None
    assert (about.state, about.condition, about.final) == ("provisional", "pending", False)
    assert about.session_state == (await stack.verdict()).state
    assert about.rows == await stack.value("SELECT count(*) FROM daily_bar WHERE trading_date = $1", DAY)
    assert about.loads == tuple(row["load_id"] for row in loads)
    assert (about.covered_by, about.fetched_at) == tuple(covered)
    assert about.columns == wanted(("daily_bars",))[0].types
    kept = f"parquet_kv_metadata('{to}/daily_bars/*/*.parquet')"
    said = by_duckdb(f"SELECT decode(value)->>'state' FROM {kept} WHERE key = 'maintenance'")
    assert said == [("provisional",)]


async def test_the_whole_export_is_one_table_for_both_readers(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, WINDOW, "daily_bars")
    count = await stack.value("SELECT count(*) FROM daily_bar")
    newest = await stack.value("SELECT count(*) FROM daily_bar WHERE trading_date = $1", DAY)
    every = pl.scan_parquet(to / "daily_bars/**/*.parquet", hive_partitioning=True)
    assert every.select(pl.len()).collect().item() == count
    assert every.filter(pl.col("trading_date") == DAY).select(pl.len()).collect().item() == newest
    glob = f"read_parquet('{to}/daily_bars/*/*.parquet', hive_partitioning = true)"
    assert by_duckdb(f"SELECT count(*) FROM {glob}") == [(count,)]
    assert by_duckdb(f"SELECT count(*) FROM {glob} WHERE trading_date = DATE '{DAY}'") == [(newest,)]


async def test_rows_stand_by_symbol_so_that_a_reader_of_one_skips_the_rest(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await put_odd_rows(stack)
    await export(stack, to, [DAY], "daily_bars")
    file = to / f"daily_bars/trading_date={DAY}/part.parquet"
    symbols = pl.read_parquet(file)["symbol"].to_list()
    assert symbols == sorted(symbols)
    (least, most), *_ = by_duckdb(
        f"SELECT stats_min_value, stats_max_value FROM parquet_metadata('{file}') WHERE path_in_schema = 'symbol'"
    )
    assert (least, most) == (symbols[0], symbols[-1])
    assert by_duckdb(f"SELECT DISTINCT compression FROM parquet_metadata('{file}')") == [("ZSTD",)]
