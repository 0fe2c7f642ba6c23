"""Measures an export against a bare COPY of the same rows in the same run, and its files against the tables.

    .venv/bin/python -m bench.export [--sessions 10] [--symbols 11000] [--rounds 3]

Embedded PostgreSQL, fsync on, made-up rows: bars in cents, of the slots about 90 of 192 traded. The bare COPY takes the
same rows in the same order, binary, and throws them away. The export judges, hashes, reads, encodes, syncs, reads back
and compares; a second one finds everything unchanged. Printed are the median of the rounds and
this process's peak memory.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import platform
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.slot_storage import made_up
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.export.exportable import wanted
from consumer.export.exporter import Exporter
from consumer.export.folder import Folder
from consumer.export.outcome import Outcome
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.slots import SlotDay, write_slots
from consumer.verdict.ruler import Expectations
from market.data_source import VENDOR
from tests.cycle.stack import CALENDAR, SCHEDULE

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool

LAST = dt.date(2025, 11, 11)
SETS = (("daily_bars", "daily_bar"), ("volume_slots", "session_slots"))


async def put_rows(connection: Connection, days: tuple[dt.date, ...], symbols: int) -> None:
    """Bars and slots of *symbols* on each of *days*, with loads, coverage and a listing that has all of them."""
    names = [f"S{number:05}" for number in range(symbols)]
    seen = dt.datetime(2025, 11, 13, tzinfo=dt.UTC)
    await connection.execute("SET session_replication_role = replica")  # loads without cycles
    await connection.copy_records_to_table(
        "listed_ticker",
        columns=["symbol", "is_active", "last_seen", "added_at", "changed_at", "state"],
        records=[(name, True, LAST, seen, seen, "listed") for name in names],
    )
    for number, day in enumerate(days):
        await connection.execute(
            "INSERT INTO data_load (load_id, cycle_id, task, part, fence, source, fetched_at, row_count) "
            "OVERRIDING SYSTEM VALUE VALUES ($1, 1, 'ohlc_daily', 'bars', 1, 'massive:rest', $2, $3)",
            number + 1, seen, symbols,
        )  # fmt: skip
        for name in ("daily_bars", "slot_proof"):
            await connection.execute(
                "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, detail) "
                "VALUES ($1, $2, $3, $4, $5, '{}')",
                name, day, symbols, seen, number + 1,
            )  # fmt: skip
        await connection.copy_records_to_table("daily_bar", records=bars(day, names, number))
        rows = [
            SlotDay(day=day, symbol=name, outcome="traded", volumes=volumes)
            for name, volumes in zip(names, made_up(symbols, number), strict=True)
        ]
        async with connection.transaction():
            await write_slots(connection, rows, fetched_at=seen, load_id=number + 1)
    await connection.execute("SET session_replication_role = origin")
    await connection.execute("VACUUM ANALYZE")


def bars(day: dt.date, names: list[str], seed: int) -> list[tuple[object, ...]]:
    """A bar a symbol, in cents."""
    random = np.random.default_rng(seed)
    closes = random.lognormal(3.5, 1, len(names)).round(2) + 0.1
    volumes = random.lognormal(12, 2, len(names)).round(0) + 1
    return [
        (
            day,
            name,
            close,
            round(close * 1.01, 2),
            round(close * 0.99, 2),
            close,
            volume,
            round(close, 4),
            5000,
            seed + 1,
        )
        for name, close, volume in zip(names, closes.tolist(), volumes.tolist(), strict=True)
    ]


async def copied_in(pool: Pool, table: str, days: tuple[dt.date, ...]) -> float:
    """Seconds of a bare COPY out of the rows of *days*, a statement a session as an export makes it."""

    async def thrown_away(_: bytes) -> None:
        pass

    began = time.perf_counter()
    async with pool.acquire() as connection:
        for day in days:
            query = f"SELECT * FROM {table} WHERE trading_date = $1 ORDER BY symbol"
            await connection.copy_from_query(query, day, output=thrown_away, format="binary")
    return time.perf_counter() - began


async def exported_in(pool: Pool, name: str, days: tuple[dt.date, ...], to: Path, expected: Outcome) -> float:
    """Seconds of an export of *days*."""
    place = Folder(to)
    exporter = Exporter(
        pool=pool, place=place, sets=wanted((name,)), expectations=Expectations(schedule=SCHEDULE),
        source=VENDOR.mark, now=lambda: dt.datetime(2025, 11, 13, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    began = time.perf_counter()
    await place.open([name])
    told = [one async for one in exporter.export(days)]
    await place.close()
    seconds = time.perf_counter() - began
    assert [one.outcome for one in told] == [expected] * len(days), told[0]
    return seconds


async def measure(dsn: str, folder: Path, asked: argparse.Namespace) -> None:
    """Measure and print a line a data set."""
    days = CALENDAR.last_trading_days(asked.sessions, up_to=LAST)
    async with await open_pool(dsn, lease=dt.timedelta(seconds=30), size=2) as pool:
        await migrate(pool)
        async with pool.acquire() as connection:
            await put_rows(connection, days, asked.symbols)
        print(f"{asked.sessions} sessions x {asked.symbols:,} symbols, {platform.platform()}\n")
        heads = ("export", "bare COPY", "share", "unchanged", "files MB", "table MB")
        print(f"{'rows a second':<16}" + "".join(f"{head:>12}" for head in heads))
        for name, table in SETS:
            bare, first, again = list[float](), list[float](), list[float]()
            for number in range(asked.rounds):
                to = folder / f"{name}-{number}"
                bare.append(await copied_in(pool, table, days))
                first.append(await exported_in(pool, name, days, to, Outcome.WRITTEN))
                again.append(await exported_in(pool, name, days, to, Outcome.UNCHANGED))
            rows = asked.sessions * asked.symbols
            files = sum(path.stat().st_size for path in to.rglob("*.parquet")) / 1e6
            size = await pool.fetchval("SELECT pg_total_relation_size($1::text::regclass)", table) / 1e6
            copy, export, unchanged = (rows / statistics.median(each) for each in (bare, first, again))
            print(
                f"{name:<16}{export:>12,.0f}{copy:>12,.0f}{export / copy:>12.2f}{unchanged:>12,.0f}"
                f"{files:>12.1f}{size:>12.1f}"
            )
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


async def run(folder: Path, asked: argparse.Namespace) -> None:
    """Measure on a server of its own in *folder*."""
    server = EmbeddedPostgres(folder / "server")
    await server.start()
    try:
        await measure(server.dsn, folder / "export", asked)
    finally:
        await server.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--symbols", type=int, default=11_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dm-bench-") as name:
        Path(name).chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
        asyncio.run(run(Path(name), asked))


if __name__ == "__main__":
    main()
