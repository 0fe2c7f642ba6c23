"""Holds our binary COPY, both ways, to what the server itself reads and writes."""

from __future__ import annotations

import datetime as dt
import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from consumer.postgres.copy_binary import (
    DATE,
    FLOAT8,
    HEADER,
    INT4,
    PADDED_SYMBOL,
    TRAILER,
    copy_out,
    encode_count_arrays,
    encode_float_arrays,
    fixed_rows,
    keyed_array_rows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection

ON_ONE_DATABASE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FLOATS = st.floats(allow_nan=False, width=64)
DAY = dt.date(2025, 11, 11)
KEY = f"date '{DAY}', rpad('SPY', 20), n"
SYMBOLS = st.from_regex(r"[A-Za-z][A-Za-z0-9./]{0,19}", fullmatch=True)
DAYS = st.dates(min_value=dt.date(1970, 1, 1), max_value=dt.date(2100, 1, 1))


@ON_ONE_DATABASE
@given(values=arrays(np.float64, st.tuples(st.integers(1, 5), st.just(7)), elements=FLOATS))
async def test_the_server_reads_our_arrays_and_we_read_its(connection: Connection, values: NDArray[np.float64]) -> None:
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS a (n integer, v float8[]); TRUNCATE a")
    fields = encode_float_arrays(values)
    rows = [struct.pack(">hii", 2, 4, number) + field for number, field in enumerate(fields)]
    await connection.copy_to_table("a", source=io.BytesIO(b"".join([HEADER, *rows, TRAILER])), format="binary")
    stored = await connection.fetch("SELECT v, v[1] AS first FROM a ORDER BY n")
    assert [list(row["v"]) for row in stored] == values.tolist()
    assert [row["first"] for row in stored] == values[:, 0].tolist()  # SQL counts from one
    body = await copy_out(connection, f"SELECT {KEY}, v FROM a ORDER BY n")
    keys, back = keyed_array_rows(body, 7, FLOAT8)
    assert keys == [(DAY, "SPY", number) for number in range(len(values))]
    assert np.array_equal(back, values)


@ON_ONE_DATABASE
@given(values=arrays(np.int64, st.tuples(st.integers(1, 5), st.just(7)), elements=st.integers(-1, 2**31 - 1)))
async def test_the_server_reads_our_counts_and_what_is_below_zero_as_null(
    connection: Connection, values: NDArray[np.int64]
) -> None:
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS c (n integer, v integer[]); TRUNCATE c")
    rows = [struct.pack(">hii", 2, 4, number) + field for number, field in enumerate(encode_count_arrays(values))]
    await connection.copy_to_table("c", source=io.BytesIO(b"".join([HEADER, *rows, TRAILER])), format="binary")
    stored = await connection.fetch("SELECT v, v[1] AS first FROM c ORDER BY n")
    wanted = [[None if count < 0 else count for count in row] for row in values.tolist()]
    assert [row["v"] for row in stored] == wanted
    assert [row["first"] for row in stored] == [row[0] for row in wanted]
    body = await copy_out(connection, f"SELECT {KEY}, array_replace(v, NULL, -1) FROM c ORDER BY n")
    assert np.array_equal(keyed_array_rows(body, 7, INT4)[1], values)


@ON_ONE_DATABASE
@given(
    rows=st.lists(st.tuples(DAYS, SYMBOLS, st.none() | st.lists(FLOATS, min_size=3, max_size=3)), max_size=8),
)
async def test_rows_with_an_array_come_before_those_without_and_keep_their_order(
    connection: Connection, rows: list[tuple[dt.date, str, list[float] | None]]
) -> None:
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS k (n serial, d date, symbol text, v float8[])")
    await connection.execute("TRUNCATE k RESTART IDENTITY")
    await connection.copy_records_to_table("k", columns=("d", "symbol", "v"), records=rows)
    query = f"SELECT d, {PADDED_SYMBOL}, n, v FROM k ORDER BY n"
    keys, arrays = keyed_array_rows(await copy_out(connection, query), 3, FLOAT8)
    numbered = [(day, symbol, number, array) for number, (day, symbol, array) in enumerate(rows, start=1)]
    ordered = sorted(numbered, key=lambda row: row[3] is None)
    assert keys == [row[:3] for row in ordered]
    assert arrays.tolist() == [row[3] for row in ordered if row[3] is not None]


@ON_ONE_DATABASE
@given(rows=st.lists(st.tuples(DAYS, FLOATS, FLOATS), max_size=6))
async def test_dates_and_floats_come_back_as_they_were(
    connection: Connection, rows: list[tuple[dt.date, float, float]]
) -> None:
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS f (n serial, d date, x float8, y float8)")
    await connection.execute("TRUNCATE f")
    await connection.copy_records_to_table("f", columns=("d", "x", "y"), records=rows)
    days, x, y = fixed_rows(await copy_out(connection, "SELECT d, x, y FROM f ORDER BY n"), (DATE, FLOAT8, FLOAT8))
    assert list(zip(days.tolist(), x.tolist(), y.tolist(), strict=True)) == rows


@pytest.mark.parametrize("value", ["ARRAY[1, NULL, 3]::float8[]", "ARRAY[1, 2]::float8[]", "'{}'::float8[]"])
async def test_arrays_of_another_shape_are_refused(connection: Connection, value: str) -> None:
    union = f"SELECT 1 AS n, {value} AS v UNION ALL SELECT 2, ARRAY[1, 2, 3]::float8[]"
    body = await copy_out(connection, f"SELECT {KEY}, v FROM ({union}) AS both_rows")
    with pytest.raises(ValueError, match="an array is not 3 float8 values"):
        keyed_array_rows(body, 3, FLOAT8)


@pytest.mark.parametrize("key", ["now(), 'SPY'", "date '2025-11-11', 'SPY'", "date '2025-11-11', rpad('SPY', 19)"])
async def test_rows_with_another_key_are_refused(connection: Connection, key: str) -> None:
    with pytest.raises(ValueError, match=r"array|padded symbol"):
        keyed_array_rows(await copy_out(connection, f"SELECT {key}, 1, ARRAY[1, 2, 3]::float8[]"), 3, FLOAT8)


@pytest.mark.parametrize("value", ["NULL::float8", "1.5::float4", "'2020-01-01'::date"])
async def test_columns_of_another_type_are_refused(connection: Connection, value: str) -> None:
    body = await copy_out(connection, f"SELECT {value}")
    with pytest.raises(ValueError, match=r"column 0|buffer size"):
        fixed_rows(body, (FLOAT8,))


async def test_no_rows_are_no_rows(connection: Connection) -> None:
    keys, arrays = keyed_array_rows(await copy_out(connection, "SELECT '{}'::float8[] WHERE false"), 192, FLOAT8)
    assert (keys, arrays.shape) == ([], (0, 192))
    assert [len(c) for c in fixed_rows(await copy_out(connection, "SELECT now()::date WHERE false"), (DATE,))] == [0]
