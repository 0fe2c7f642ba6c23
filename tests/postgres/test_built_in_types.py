"""What the driver would ask the catalog in every session is asked once a process, and is what the catalog says."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import asyncpg

from consumer.postgres.built_in_types import ARRAYS, FIRST_OF_OTHERS, KnowsBuiltInTypes
from consumer.postgres.session import Client, connect

if TYPE_CHECKING:
    import pytest

ROUND_TRIPS: list[tuple[str, list[Any]]] = [
    ("boolean[]", [True, None]),
    ("name[]", ["a", "b"]),
    ("smallint[]", [1, -1]),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", None]),
    ("bigint[]", [1 << 40]),
    ("double precision[]", [0.5, None]),
    ("date[]", [dt.date(2025, 11, 11)]),
    ("timestamptz[]", [dt.datetime(2025, 11, 11, tzinfo=dt.UTC)]),
]


async def test_the_second_session_asks_the_catalog_nothing_and_reads_and_writes_the_same(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    of_the_driver = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def noted(self: Any, typeoids: list[int], timeout: float | None) -> Any:
        asked.append(list(typeoids))
        return await of_the_driver(self, typeoids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", noted)
    monkeypatch.setattr(KnowsBuiltInTypes, "_catalog", ())
    for _ in range(2):
        session = await connect(postgres_dsn, lease=dt.timedelta(seconds=10), client=Client())
        for kind, value in ROUND_TRIPS:
            assert await session.fetchval(f"SELECT $1::{kind}", value) == value
        await session.close()
    assert asked == [sorted(ARRAYS)]


async def test_types_of_a_database_are_asked_for_as_ever(postgres_dsn: str) -> None:
    session = await connect(postgres_dsn, lease=dt.timedelta(seconds=10), client=Client())
    await session.execute("CREATE TYPE pg_temp.colour AS ENUM ('red', 'green')")
    assert await session.fetchval("SELECT ARRAY['red', 'green']::pg_temp.colour[]") == ["red", "green"]
    await session.close()


async def test_the_types_that_are_kept_are_arrays_of_the_servers_own(postgres_dsn: str) -> None:
    session = await connect(postgres_dsn, lease=dt.timedelta(seconds=10), client=Client())
    rows = await session.fetch(
        "SELECT oid::bigint, typelem::bigint, typcategory FROM pg_type WHERE oid = ANY ($1::oid[])", ARRAYS
    )
    assert {row["oid"] for row in rows} == ARRAYS
    assert all(row["typcategory"] == b"A" and row["typelem"] < FIRST_OF_OTHERS for row in rows)
    assert max(ARRAYS) < FIRST_OF_OTHERS
    await session.close()
