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
    TRAILER,
    copy_out,
    encode_count_arrays,
    encode_float_arrays,
    fixed_rows,
    float_array_rows,
    int_array_rows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection

ON_ONE_DATABASE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FLOATS = st.floats(allow_nan=False, width=64)
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
    assert np.array_equal(float_array_rows(await copy_out(connection, "SELECT v FROM a ORDER BY n"), 7), values)


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
    body = await copy_out(connection, "SELECT array_replace(v, NULL, -1) FROM c ORDER BY n")
    assert np.array_equal(int_array_rows(body, 7), values)


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


@pytest.mark.parametrize("value", ["NULL", "ARRAY[1, NULL, 3]::float8[]", "ARRAY[1, 2]::float8[]", "'{}'::float8[]"])
async def test_arrays_of_another_shape_are_refused(connection: Connection, value: str) -> None:
    body = await copy_out(connection, f"SELECT {value} UNION ALL SELECT ARRAY[1, 2, 3]::float8[]")
    with pytest.raises(ValueError, match=r"array|buffer size"):
        float_array_rows(body, 3)


@pytest.mark.parametrize("value", ["NULL::float8", "1.5::float4", "'2020-01-01'::date"])
async def test_columns_of_another_type_are_refused(connection: Connection, value: str) -> None:
    body = await copy_out(connection, f"SELECT {value}")
    with pytest.raises(ValueError, match=r"column 0|buffer size"):
        fixed_rows(body, (FLOAT8,))


async def test_no_rows_are_no_rows(connection: Connection) -> None:
    assert float_array_rows(await copy_out(connection, "SELECT '{}'::float8[] WHERE false"), 192).shape == (0, 192)
    assert [len(c) for c in fixed_rows(await copy_out(connection, "SELECT now()::date WHERE false"), (DATE,))] == [0]
