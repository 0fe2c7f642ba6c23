"""Measures two ways to store volume slots: a row a slot, and a row a (session, symbol) with an array.

    .venv/bin/python -m bench.slot_storage [--sessions 5] [--symbols 11000] [--trades]

Embedded PostgreSQL, fsync on. The same made-up volumes (about 90 of 192 slots traded) go in both ways with COPY in key
order; read back is the mean accumulated volume a slot over all sessions. Client CPU is this process's own. With
--trades, instead: array rows without and with the number of trades beside each volume, of shares with fractions, and of
whole ones that trade as a market does, mostly in regular hours.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.slot_history import read_slots
from consumer.postgres.slot_trades import read_trades
from consumer.postgres.slots import SlotDay, write_slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg
    from numpy.typing import NDArray

LEASE = dt.timedelta(minutes=1)
FETCHED_AT = dt.datetime(2025, 11, 12, 1, 20, tzinfo=dt.UTC)
TRADES_MEASURED = ("bytes a row, with key", "COPY, wall s", "COPY, client CPU s", "volumes back, s", "trades back, s")
SLOT_ROWS = """
    CREATE TABLE slot_row (trading_date date, symbol text COLLATE "C", slot_number smallint, volume double precision,
                           PRIMARY KEY (trading_date, symbol, slot_number))
"""
MEAN_OF_ROWS = """
    WITH grid AS (SELECT DISTINCT trading_date, symbol FROM slot_row),
    filled AS (
        SELECT g.trading_date, g.symbol, n AS slot_number, coalesce(r.volume, 0) AS volume
        FROM grid AS g CROSS JOIN generate_series(0, 191) AS n
        LEFT JOIN slot_row AS r ON r.trading_date = g.trading_date AND r.symbol = g.symbol AND r.slot_number = n
    ), accumulated AS (
        SELECT symbol, slot_number, sum(volume) OVER (PARTITION BY trading_date, symbol ORDER BY slot_number) AS v
        FROM filled
    )
    SELECT symbol, slot_number, avg(v) FROM accumulated GROUP BY symbol, slot_number
"""


class Figures:
    """Wall and own CPU seconds of one step."""

    def __init__(self, wall_s: float, cpu_s: float) -> None:
        self.wall_s, self.cpu_s = wall_s, cpu_s


async def timed(work: Callable[[], Awaitable[object]]) -> Figures:
    """Run *work* and return what it took."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figures(time.perf_counter() - began, cpu)


def made_up(symbols: int, seed: int) -> NDArray[np.float64]:
    """Return float64[symbols, 192], about 90 slots of each traded, volumes fractional."""
    random = np.random.default_rng(seed)
    volumes = random.lognormal(8, 1.5, (symbols, 192))
    volumes[random.random((symbols, 192)) > 0.47] = 0
    return volumes


async def measure(dsn: str, sessions: int, symbols: int) -> None:
    """Load and read both ways, and print."""
    days = [dt.date(2025, 11, 3) + dt.timedelta(days=number) for number in range(sessions)]
    names = [f"S{number:05}" for number in range(symbols)]
    data = {day: made_up(symbols, number) for number, day in enumerate(days)}
    async with await open_pool(dsn, lease=LEASE, size=2) as pool:
        await migrate(pool)
        async with pool.acquire() as connection:
            await connection.execute(SLOT_ROWS)

            async def load_arrays() -> None:
                for day in days:
                    rows = [
                        SlotDay(day=day, symbol=s, outcome="traded", volumes=v)
                        for s, v in zip(names, data[day], strict=True)
                    ]
                    async with connection.transaction():
                        await write_slots(connection, rows, fetched_at=FETCHED_AT, load_id=1)

            async def load_rows() -> None:
                for day in days:
                    where, slot = np.nonzero(data[day])
                    volumes = data[day][where, slot].tolist()
                    records = [
                        (day, names[w], s, v) for w, s, v in zip(where.tolist(), slot.tolist(), volumes, strict=True)
                    ]
                    await connection.copy_records_to_table("slot_row", records=records)

            async def mean_of_arrays() -> None:
                _, traded = await read_slots(connection, days, partition=0, partitions=1)
                np.cumsum(traded.reshape(sessions, symbols, 192), axis=2).mean(axis=0)

            async def mean_of_rows() -> None:
                await connection.fetch(MEAN_OF_ROWS)

            loads = await timed(load_arrays), await timed(load_rows)
            await connection.execute("VACUUM ANALYZE")
            reads = await timed(mean_of_arrays), await timed(mean_of_rows)
            tables = ("session_slots", "slot_row")
            sizes = [
                await connection.fetchval("SELECT pg_total_relation_size($1::text::regclass)", name) for name in tables
            ]
            rows = [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables]
            server = (await connection.fetchval("SELECT version()")).split(" on ")[0]
            print(f"{server}, {sessions} sessions x {symbols:,} symbols\n")
            report(loads, reads, sizes, rows)


def report(loads: tuple[Figures, Figures], reads: tuple[Figures, Figures], sizes: list[int], rows: list[int]) -> None:
    """Print a line a measure: array row, slot row, ratio."""
    print(f"{'':<34}{'array row':>12}{'slot row':>12}{'ratio':>8}")
    for name, first, second, form in (
        ("rows", rows[0], rows[1], ",.0f"),
        ("load, wall s", loads[0].wall_s, loads[1].wall_s, ".2f"),
        ("load, client CPU s", loads[0].cpu_s, loads[1].cpu_s, ".2f"),
        ("size with key, MB", sizes[0] / 1e6, sizes[1] / 1e6, ".0f"),
        ("mean accumulated a slot, wall s", reads[0].wall_s, reads[1].wall_s, ".2f"),
        ("mean accumulated a slot, client s", reads[0].cpu_s, reads[1].cpu_s, ".2f"),
    ):
        print(f"{name:<34}{first:>12{form}}{second:>12{form}}{second / first:>8.1f}")


def as_traded(symbols: int, seed: int) -> NDArray[np.float64]:
    """Return float64[symbols, 192] of whole shares, some 55 slots of each traded, mostly from 09:30 to 16:00."""
    random = np.random.default_rng(seed)
    often = np.where((np.arange(192) >= 66) & (np.arange(192) <= 144), 0.95, 0.08) * random.random((symbols, 1)) ** 0.5
    volumes = np.rint(random.lognormal(8, 1.5, (symbols, 192)) * random.lognormal(0, 1.5, (symbols, 1))) + 1
    volumes[random.random((symbols, 192)) > often] = 0
    return volumes


async def measure_trades(dsn: str, sessions: int, symbols: int) -> None:
    """Load and read array rows without and with trades, and print; in turns, as the machine is shared."""
    async with await open_pool(dsn, lease=LEASE, size=2) as pool:
        await migrate(pool)
        async with pool.acquire() as connection:
            for kind, make in (("shares with fractions", made_up), ("whole shares, as a market trades", as_traded)):
                found = [await _one_way(connection, make(symbols, 1), sessions, counted=c) for c in (False, True) * 2]
                print(f"\n{kind}, {sessions} sessions x {symbols:,} symbols{'without':>16}{'with trades':>14}")
                for at, name in enumerate(
                    (
                        "bytes a row, with key",
                        "COPY, wall s",
                        "COPY, client CPU s",
                        "volumes back, wall s",
                        "trades back, s",
                    )
                ):
                    without, counted = (min(one[at] for one in found[first::2]) for first in (0, 1))
                    print(f"{name:<52}{without:>14,.2f}{counted:>14,.2f}")


async def _one_way(
    connection: asyncpg.Connection[asyncpg.Record], volumes: NDArray[np.float64], sessions: int, *, counted: bool
) -> tuple[float, ...]:
    """Bytes a row; seconds to load, by the clock and of this process; to read volumes, and trades."""
    await connection.execute("TRUNCATE session_slots")
    days = [dt.date(2025, 11, 3) + dt.timedelta(days=number) for number in range(sessions)]
    trades = np.where(volumes > 0, np.maximum(1, np.rint(volumes / 120)), 0).astype(np.int64)

    async def load() -> None:
        for day in days:
            rows = [
                SlotDay(
                    day=day, symbol=f"S{at:05}", outcome="traded", volumes=own, trades=trades[at] if counted else None
                )
                for at, own in enumerate(volumes)
            ]
            async with connection.transaction():
                await write_slots(connection, rows, fetched_at=FETCHED_AT, load_id=1)

    loaded = await timed(load)
    await connection.execute("VACUUM ANALYZE session_slots")
    size = await connection.fetchval("SELECT pg_total_relation_size('session_slots')") / (sessions * len(volumes))
    back = await timed(lambda: read_slots(connection, days, partition=0, partitions=1))
    counts = await timed(lambda: read_trades(connection, days, partition=0, partitions=1))
    return size, loaded.wall_s, loaded.cpu_s, back.wall_s, counts.wall_s


async def run(folder: Path, sessions: int, symbols: int, *, trades: bool) -> None:
    """Measure on a server of its own in *folder*."""
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        await (measure_trades if trades else measure)(server.dsn, sessions, symbols)
    finally:
        await server.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--symbols", type=int, default=11_000)
    parser.add_argument("--trades", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dm-slots-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
        asyncio.run(run(Path(folder), options.sessions, options.symbols, trades=options.trades))


if __name__ == "__main__":
    main()
