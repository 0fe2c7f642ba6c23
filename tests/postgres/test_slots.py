"""Holds volume slots to: what is written is read, what is missing is said, and no trades is proven or not claimed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.postgres.slot_history import read_slots
from consumer.postgres.slots import (
    SlotDay,
    mark_unproven,
    missing_slots,
    unproven_by_day,
    write_slots,
)
from market.volume_slots import UNKNOWN_TRADES
from tests.postgres.rows_read import rows_read

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAY = dt.date(2025, 11, 11)
DAYS = [DAY - dt.timedelta(days=1), DAY]
NOON = dt.datetime(2025, 11, 12, 12, 0, 0, 123457, tzinfo=dt.UTC)
EARLIER = NOON - dt.timedelta(hours=5)
LONG_AGO = NOON - dt.timedelta(days=30)

ON_ONE_DATABASE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def traded(symbol: str, slots: dict[int, float], *, day: dt.date = DAY) -> SlotDay:
    volumes = np.zeros(192)
    volumes[list(slots)] = list(slots.values())
    return SlotDay(day=day, symbol=symbol, outcome="traded", volumes=volumes)


def untraded(symbol: str, *, day: dt.date = DAY, outcome: str = "no_trades") -> SlotDay:
    return SlotDay(day=day, symbol=symbol, outcome=outcome)


async def write(connection: Connection, *rows: SlotDay, at: dt.datetime = NOON) -> None:
    await write_slots(connection, rows, fetched_at=at, load_id=7)


async def put_bar(connection: Connection, symbol: str, volume: float, *, day: dt.date = DAY) -> None:
    await connection.execute(
        "INSERT INTO daily_bar (trading_date, symbol, open, high, low, close, volume, load_id) "
        "VALUES ($1, $2, 1, 1, 1, 1, $3, 1)",
        day, symbol, volume,
    )  # fmt: skip


async def list_symbols(connection: Connection, *symbols: str, active: bool = True, last_seen: dt.date = DAY) -> None:
    await connection.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, $2, $3, $4, $4)",
        [(symbol, active, last_seen, NOON) for symbol in symbols],
    )


async def outcomes(connection: Connection) -> dict[tuple[dt.date, str], str]:
    rows = await connection.fetch("SELECT trading_date, symbol, outcome FROM session_slots")
    return {(row["trading_date"], row["symbol"]): row["outcome"] for row in rows}


# Round trip

SYMBOLS = st.from_regex(r"[A-Za-z][A-Za-z0-9./]{0,5}", fullmatch=True)
VOLUMES = st.dictionaries(
    st.integers(0, 191), st.floats(min_value=1e-6, max_value=1e12, allow_nan=False), min_size=1, max_size=5
)
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(DAYS), SYMBOLS), st.one_of(VOLUMES, st.sampled_from(["no_trades", "unproven"])),
    max_size=8,
)  # fmt: skip
INSTANTS = st.datetimes(
    min_value=dt.datetime(2000, 1, 1),  # noqa: DTZ001
    max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)


@ON_ONE_DATABASE
@given(content=ROWS, at=INSTANTS)
async def test_what_is_written_is_read_back_from_exactly_one_partition(
    connection: Connection, content: dict[tuple[dt.date, str], dict[int, float] | str], at: dt.datetime
) -> None:
    await connection.execute("TRUNCATE session_slots")
    rows = [
        untraded(symbol, day=day, outcome=value) if isinstance(value, str) else traded(symbol, value, day=day)
        for (day, symbol), value in content.items()
    ]
    await write(connection, *rows, at=at)
    assert {row["fetched_at"] for row in await connection.fetch("SELECT fetched_at FROM session_slots")} <= {at}
    found: dict[tuple[dt.date, str], tuple[str, list[float] | None]] = {}
    for partition in range(4):
        names, volumes = await read_slots(connection, DAYS, partition=partition, partitions=4)
        assert sum(outcome == "traded" for *_, outcome in names) == len(volumes)
        for number, (day, symbol, outcome) in enumerate(names):
            assert (day, symbol) not in found
            found[day, symbol] = outcome, volumes[number].tolist() if outcome == "traded" else None
    wanted = {(r.day, r.symbol): (r.outcome, None if r.volumes is None else r.volumes.tolist()) for r in rows}
    assert found == wanted


async def test_partitions_share_the_market_evenly(connection: Connection) -> None:
    await write(connection, *(untraded(f"S{number}") for number in range(1000)))
    sizes = [len((await read_slots(connection, [DAY], partition=n, partitions=4))[0]) for n in range(4)]
    assert sum(sizes) == 1000
    assert min(sizes) > 180


async def test_a_symbol_stays_in_its_partition_whatever_the_server(connection: Connection) -> None:
    symbols = ["SPY", "BRK.A", "BACpB", "T"]
    await write(connection, *(traded(symbol, {66: 1.0}) for symbol in symbols))
    for symbol in symbols:
        partition = hashlib.sha256(symbol.encode()).digest()[0] % 4
        names, _ = await read_slots(connection, [DAY], partition=partition, partitions=4)
        assert (DAY, symbol, "traded") in names


async def test_a_rewritten_row_is_replaced_and_its_neighbours_stay(connection: Connection) -> None:
    await write(connection, traded("A", {0: 1.0}), traded("B", {0: 2.0}), traded("A", {0: 3.0}, day=DAYS[0]))
    await write(connection, untraded("A"))
    assert await outcomes(connection) == {
        (DAY, "A"): "no_trades", (DAY, "B"): "traded", (DAYS[0], "A"): "traded",
    }  # fmt: skip


async def test_writing_nothing_is_allowed(connection: Connection) -> None:
    await write(connection)
    assert await outcomes(connection) == {}


# The relation that SQL readers know


async def test_the_view_has_the_columns_of_the_earlier_service_and_no_empty_slots(connection: Connection) -> None:
    await write(connection, traded("SPY", {0: 100.0, 66: 50.5, 191: 1.0}), untraded("XYZ"))
    rows = await connection.fetch(
        "SELECT date, symbol, slot_number, slot_time, volume_accumulated, trades_count, avg_price "
        "FROM public.volume_slots ORDER BY slot_number"
    )
    assert [tuple(row) for row in rows] == [
        (DAY, "SPY", 0, dt.time(4, 0), 100.0, None, None),
        (DAY, "SPY", 66, dt.time(9, 30), 150.5, None, None),
        (DAY, "SPY", 191, dt.time(19, 55), 151.5, None, None),
    ]


async def test_the_views_say_of_how_many_trades_a_slot_is_made_and_null_where_nobody_said(
    connection: Connection,
) -> None:
    slots = traded("SPY", {0: 100.0, 66: 50.0})
    counts = np.zeros(192, dtype=np.int64)
    counts[[0, 66]] = 7, UNKNOWN_TRADES
    told = msgspec.structs.replace(slots, trades=counts)
    await write(connection, told, msgspec.structs.replace(slots, symbol="OLD"), untraded("XYZ"))
    for view in ("volume_slots", "volume_slots_adjusted"):
        rows = await connection.fetch(f"SELECT symbol, slot_number, trades_count FROM public.{view} ORDER BY 1, 2")
        assert [tuple(row) for row in rows] == [("OLD", 0, None), ("OLD", 66, None), ("SPY", 0, 7), ("SPY", 66, None)]
    rows = await connection.fetch("SELECT symbol, trades_unknown FROM public.volume_slots_daily ORDER BY 1")
    assert [tuple(row) for row in rows] == [("OLD", 2), ("SPY", 1), ("XYZ", 0)]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("trades[5] = -1", "bounds_trades"), ("trades[5] = 1000000001", "bounds_trades"),
        ("trades = ARRAY[1, 2]", "trades_of_volumes"), ("trades_unknown = 193", "slots_without_trades"),
        ("trades_unknown = NULL", "trades_of_volumes"),
        ("outcome = 'no_trades', volumes = NULL", "trades_of_volumes"),
    ],
)  # fmt: skip
async def test_trades_that_cannot_be_cannot_be_written_by_hand_either(
    connection: Connection, change: str, constraint: str
) -> None:
    counts = np.zeros(192, dtype=np.int64)
    counts[0] = UNKNOWN_TRADES
    await write(connection, msgspec.structs.replace(traded("SPY", {0: 100.0}), trades=counts))
    with pytest.raises(asyncpg.CheckViolationError, match=constraint):
        await connection.execute(f"UPDATE session_slots SET {change}")


async def test_the_earlier_services_rvol_query_runs_unchanged(connection: Connection) -> None:
    await write(connection, traded("SPY", {66: 100.0}), traded("SPY", {66: 300.0}, day=DAYS[0]))
    mean = await connection.fetchval(
        "SELECT AVG(volume_accumulated)::bigint FROM public.volume_slots "
        "WHERE symbol = $1 AND slot_number = $2 AND date IN (SELECT DISTINCT date FROM public.volume_slots "
        "WHERE symbol = $1 AND date <= $3 ORDER BY date DESC LIMIT 5)",
        "SPY", 66, DAY,
    )  # fmt: skip
    assert mean == 200


async def test_conditions_on_the_view_reach_the_key_of_the_table(connection: Connection) -> None:
    await connection.execute("SET enable_seqscan = off")
    plan = await connection.fetch(
        "EXPLAIN SELECT * FROM public.volume_slots WHERE date = $1 AND symbol = $2", DAY, "SPY"
    )
    lines = [row[0] for row in plan]
    own, *of_renamed = [at for at, line in enumerate(lines) if "on session_slots" in line]
    assert "trading_date =" in lines[own + 1]
    assert "symbol =" in lines[own + 1]
    assert not any("Seq Scan" in lines[at] for at in of_renamed)


# What is missing


async def missing(connection: Connection, **options: object) -> dict[str, list[dt.date]]:
    wanted = {"retry_unproven_before": LONG_AGO, "symbols": None, **options}
    return await missing_slots(connection, dict.fromkeys(DAYS, EARLIER), **wanted)  # type: ignore[arg-type]


async def test_every_active_symbol_lacks_every_session_at_first(connection: Connection) -> None:
    await list_symbols(connection, "B", "A")
    await list_symbols(connection, "GONE", active=False, last_seen=DAYS[0] - dt.timedelta(days=1))
    assert await missing(connection) == {"A": DAYS, "B": DAYS}
    assert await missing(connection, symbols=["B", "GONE", "STRANGER"]) == {"B": DAYS}


async def test_a_symbol_that_has_left_the_market_lacks_the_sessions_on_which_it_was_listed(
    connection: Connection,
) -> None:
    await list_symbols(connection, "GONE", active=False, last_seen=DAYS[0])
    assert await missing(connection) == {"GONE": [DAYS[0]]}


async def test_what_retention_has_deleted_is_not_fetched_again(connection: Connection) -> None:
    await list_symbols(connection, "A")
    await connection.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, retired_at) "
        "VALUES ('volume_slots', $1, 1, $2, 1, $2)",
        DAYS[0], NOON,
    )  # fmt: skip
    assert await missing(connection) == {"A": DAYS[1:]}


async def test_a_symbol_that_did_not_trade_is_not_asked_for_again(connection: Connection) -> None:
    await list_symbols(connection, "A")
    await write(connection, untraded("A"), traded("A", {3: 1.0}, day=DAYS[0]))
    assert await missing(connection) == {}


async def test_a_row_fetched_before_its_session_was_final_is_missing(connection: Connection) -> None:
    await list_symbols(connection, "A")
    await write(connection, traded("A", {3: 1.0}), at=EARLIER - dt.timedelta(microseconds=1))
    await write(connection, traded("A", {3: 1.0}, day=DAYS[0]), at=EARLIER)
    assert await missing(connection) == {"A": [DAY]}


async def test_an_unproven_row_is_asked_for_again_once_it_is_old_enough(connection: Connection) -> None:
    await list_symbols(connection, "A")
    await write(connection, untraded("A", outcome="unproven"), untraded("A", day=DAYS[0]))
    assert await missing(connection, retry_unproven_before=NOON) == {}
    assert await missing(connection, retry_unproven_before=NOON + dt.timedelta(seconds=1)) == {"A": [DAY]}


class Explained:
    """A connection that notes how many rows of each relation its queries read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.read: Counter[str] = Counter()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        self.read += await rows_read(self._connection, query, arguments)
        return await self._connection.fetch(query, *arguments)


@pytest.mark.parametrize(("symbols", "of_them"), [(["S7", "S8"], 2), (None, 40)])
async def test_what_is_missing_is_read_once_from_the_rows_of_its_own_sessions_and_symbols(
    connection: Connection, symbols: list[str] | None, of_them: int
) -> None:
    await list_symbols(connection, *(f"S{number}" for number in range(40)))
    await connection.execute(
        "INSERT INTO session_slots (trading_date, symbol, outcome, fetched_at, load_id) "
        "SELECT $1::date - day, 'S' || number, 'no_trades', $2, 1 "
        "FROM generate_series(0, 499) AS day, generate_series(0, 39) AS number",
        DAY, NOON,
    )  # fmt: skip
    await connection.execute("ANALYZE session_slots, listed_ticker")
    explained = Explained(connection)
    assert await missing(explained, symbols=symbols) == {}  # type: ignore[arg-type]
    assert explained.read["session_slots"] == of_them * len(DAYS)


# Proof


async def test_no_trades_against_a_bar_with_volume_is_unproven(connection: Connection) -> None:
    await write(connection, untraded("BAR"), untraded("QUIET"), untraded("NOBAR"), traded("OK", {66: 1.0}))
    for symbol, volume in (("BAR", 500.0), ("QUIET", 0.0), ("OK", 1.0)):
        await put_bar(connection, symbol, volume)
    assert await mark_unproven(connection, DAYS) == 1
    found = {symbol: outcome for (_, symbol), outcome in (await outcomes(connection)).items()}
    assert found == {"BAR": "unproven", "QUIET": "no_trades", "NOBAR": "no_trades", "OK": "traded"}
    assert await unproven_by_day(connection, DAYS) == {DAY: (1, 4)}


async def test_an_unproven_row_is_proven_by_the_days_bars(connection: Connection) -> None:
    await write(connection, untraded("A", outcome="unproven"), untraded("B", outcome="unproven"))
    await put_bar(connection, "B", 5.0)
    assert await mark_unproven(connection, DAYS) == 1
    assert await outcomes(connection) == {(DAY, "A"): "no_trades", (DAY, "B"): "unproven"}


async def test_a_day_without_bars_proves_nothing(connection: Connection) -> None:
    await write(connection, untraded("A", outcome="unproven"), untraded("B", outcome="unproven", day=DAYS[0]))
    await put_bar(connection, "OTHER", 5.0, day=DAYS[0])
    assert await mark_unproven(connection, DAYS) == 1
    assert await outcomes(connection) == {(DAY, "A"): "unproven", (DAYS[0], "B"): "no_trades"}


async def test_only_the_days_asked_for_are_judged(connection: Connection) -> None:
    await write(connection, untraded("A"))
    await put_bar(connection, "A", 5.0)
    assert await mark_unproven(connection, [DAYS[0]]) == 0
    assert await outcomes(connection) == {(DAY, "A"): "no_trades"}


@pytest.mark.parametrize("outcome", ["traded", "no_trades"])
async def test_the_table_takes_no_contradiction(connection: Connection, outcome: str) -> None:
    volumes = None if outcome == "traded" else np.ones(192)
    with pytest.raises(asyncpg.CheckViolationError):
        await write(connection, SlotDay(day=DAY, symbol="A", outcome=outcome, volumes=volumes))
