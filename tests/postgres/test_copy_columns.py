"""Rows of whatever types come out of a binary COPY column by column as the server has them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.export import parquet
from consumer.export.described import Described
from consumer.export.frames import Rows, digest, schema
from consumer.postgres import copy_columns
from consumer.postgres.copy_columns import Unreadable, copied, expression, take_columns

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

ON_ONE_DATABASE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UTC = dt.UTC
INSTANTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=12)
FLOATS = st.floats(allow_nan=False, width=64)
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, width=32),
    "double precision": FLOATS,
    "date": st.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30)),  # the driver writes the first and last as infinite
    "timestamp with time zone": INSTANTS,
    "text": TEXT,
    "double precision[]": st.lists(st.none() | FLOATS, max_size=4) | st.lists(FLOATS, min_size=192, max_size=192),
    "text[]": st.lists(st.none() | TEXT, max_size=3),
    "bigint[]": st.lists(st.integers(-5, 5), max_size=3),
}
TYPES = {f"c{number}": type_ for number, type_ in enumerate(OF_TYPE)}
ROWS = st.lists(st.tuples(*(st.none() | one for one in OF_TYPE.values())), max_size=5)


async def frame_of(connection: Connection, query: str, types: dict[str, str]) -> pl.DataFrame:
    rows = Rows(types)
    take_columns(await copied(connection, query), list(types.values()), rows.take)
    return rows.frame()


def about(frame: pl.DataFrame) -> Described:
    """What is said of rows that are of nothing in particular."""
    at = dt.datetime(2025, 11, 12, tzinfo=UTC)
    return Described(
        data_set="any", table="any", trading_day=None, state=None, condition=None, session_state=None,
        session_condition=None, final=False, rows=frame.height, loads=(), covered_by=None, fetched_at=at, source="any",
        columns=TYPES, schema_version=1, exported_at=at, sha256=digest(frame), stamp="any",
    )  # fmt: skip


@ON_ONE_DATABASE
@given(rows=ROWS, batch=st.sampled_from([1, 100, 4 << 20]))
async def test_rows_of_all_types_nulls_and_arrays_survive_the_way_into_a_file_and_back(
    connection: Connection, rows: list[tuple[Any, ...]], batch: int
) -> None:
    columns = ", ".join(f"{name} {type_}" for name, type_ in TYPES.items())
    await connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS r (n serial, {columns}); TRUNCATE r")
    await connection.copy_records_to_table("r", columns=list(TYPES), records=rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy_columns, "BATCH_BYTES", batch)
        frame = await frame_of(connection, f"SELECT {', '.join(TYPES)} FROM r ORDER BY n", TYPES)
    body = parquet.encode(frame, about(frame))
    parquet.check_of(about(frame))(body)
    back = pl.read_parquet(body)
    assert back.rows() == [tuple(row) for row in rows]
    assert dict(back.schema) == schema(TYPES)
    assert digest(back) == digest(frame)


class InPieces:
    """Gives what a connection gave, cut wherever a network may cut it."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self._size = size

    async def copy_from_query(self, query: str, *arguments: object, output: Any, format: str) -> None:
        chunks: list[bytes] = []

        async def collect(chunk: bytes) -> None:
            chunks.append(bytes(chunk))

        await self._connection.copy_from_query(query, *arguments, output=collect, format=format)
        body = b"".join(chunks)
        for at in range(0, len(body), self._size):
            await output(body[at : at + self._size])


@pytest.mark.parametrize("size", [1, 7, 19, 64, 4096])
async def test_a_row_may_come_in_pieces_wherever_it_is_cut(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(copy_columns, "BATCH_BYTES", size)
    query = (
        "SELECT n, CASE WHEN n % 3 > 0 THEN repeat('é', n) END, array_fill(n / 7.0::float8, ARRAY[n % 5]) "
        "FROM generate_series(1, 40) AS n"
    )
    types = {"n": "integer", "text": "text", "list": "double precision[]"}
    pieces: Any = InPieces(connection, size)
    frame = await frame_of(pieces, query, types)
    assert frame.rows() == [(n, "é" * n if n % 3 else None, [n / 7.0] * (n % 5)) for n in range(1, 41)]


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [("numeric", "1.10", "1.10"), ("jsonb", """{"a": 1}""", '{"a": 1}'), ("json", '{"a":1}', '{"a":1}'),
     ("uuid", "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000a"),
     ("interval", "1 day", "1 day")],
)  # fmt: skip
async def test_a_type_that_parquet_has_no_like_of_is_text_as_the_server_writes_it(
    connection: Connection, type_: str, value: str, text: str
) -> None:
    query = f"SELECT {expression('v', type_)} FROM (SELECT '{value}'::{type_} AS v UNION ALL SELECT NULL) AS t"
    assert (await frame_of(connection, query, {"v": type_}))["v"].to_list() == [text, None]


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        ("date", "'infinity'::date", "infinite"),
        ("timestamp with time zone", "'-infinity'::timestamptz", "infinite"),
        ("double precision[]", "ARRAY[[1], [2]]::float8[]", "2 dimensions"),
        ("bigint", "1::integer", "8 bytes"),
    ],
)
@pytest.mark.parametrize("batch", [1, 4 << 20])
async def test_what_has_no_place_in_a_column_is_refused_and_the_transaction_goes_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, type_: str, value: str, words: str, batch: int
) -> None:
    monkeypatch.setattr(copy_columns, "BATCH_BYTES", batch)
    async with connection.transaction():
        with pytest.raises(Unreadable, match=words):
            await frame_of(connection, f"SELECT {value} AS v", {"v": type_})
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_digest_tells_rows_apart_that_differ_in_one_bit_a_null_or_a_border() -> None:
    frames = [
        pl.DataFrame({"a": [1.0, None]}),
        pl.DataFrame({"a": [1.0, 0.0]}),
        pl.DataFrame({"a": [1.0, -0.0]}),
        pl.DataFrame({"a": [1.0000000000000002, None]}),
        pl.DataFrame({"a": ["ab", "c"]}),
        pl.DataFrame({"a": ["a", "bc"]}),
        pl.DataFrame({"a": [[1.0], [2.0, 3.0]]}),
        pl.DataFrame({"a": [[1.0, 2.0], [3.0]]}),
        pl.DataFrame({"a": [[1.0, 2.0, 3.0], []]}),
        pl.DataFrame({"a": [[1.0, 2.0, 3.0], None]}),
    ]
    assert len({digest(frame) for frame in frames}) == len(frames)
