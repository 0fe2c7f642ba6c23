"""An export into a bucket: put, read back, skipped when it is there, and refused in words when it cannot be."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import socket
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from consumer.export.bucket import Bucket, bucket_at
from consumer.export.described import KEY
from consumer.export.outcome import Outcome
from consumer.export.place import PlaceAway, Spoilt
from consumer.settings import read_settings
from tests.cycle.stack import DAY, Stack
from tests.export.conftest import exporter_of, session
from tests.s3_server import Server, free_port, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.export.conftest import Maintenance

BUCKET = "exports"
BARS = f"daily_bars/trading_date={DAY}/part.parquet"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3_server(BUCKET) as served:
        yield served


def keys_of(server: Server, **other: str) -> dict[str, str]:
    return {
        "EXPORT_S3_ENDPOINT": server.endpoint, "EXPORT_S3_ACCESS_KEY_ID": server.access_key,
        "EXPORT_S3_SECRET_ACCESS_KEY": server.secret_key, **other,
    }  # fmt: skip


def bucket(server: Server, prefix: str) -> Bucket:
    return bucket_at(f"s3://{BUCKET}/{prefix}", read_settings(keys_of(server)))


async def test_what_is_put_into_a_bucket_is_what_the_table_holds_and_is_put_once(stack: Stack, server: Server) -> None:
    await stack.run_cycle()
    place = bucket(server, "once/")
    exporter = exporter_of(stack, place, "daily_bars", "universe")
    await place.open(["daily_bars"])
    first = [one.outcome async for one in exporter.export([DAY])]
    body = server.get(BUCKET, f"once/{BARS}")
    stands = await stack.pool.fetch("SELECT * FROM daily_bar WHERE trading_date = $1 ORDER BY symbol", DAY)
    frame = pl.read_parquet(body)
    assert first == [Outcome.WRITTEN, Outcome.WRITTEN]
    assert frame.rows() == [tuple(row[name] for name in frame.columns) for row in stands]
    assert [key for key in server.keys(BUCKET) if key.startswith("once/")] == [
        f"once/{BARS}",
        "once/universe/part.parquet",
    ]

    again = [one.outcome async for one in exporter.export([DAY])]
    await stack.pool.execute("UPDATE daily_bar SET volume = volume + 1 WHERE trading_date = $1", DAY)
    changed = [one.outcome async for one in exporter.export([DAY])]

    assert again == [Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert changed == [Outcome.WRITTEN, Outcome.UNCHANGED]
    assert server.get(BUCKET, f"once/{BARS}") != body


async def test_what_a_bucket_gives_back_otherwise_is_taken_away_and_told(
    stack: Stack, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    place = bucket(server, "spoilt")
    put = place._obstore.put_async

    async def cut(store: Any, key: str, body: bytes, **options: Any) -> Any:
        return await put(store, key, body[:-1], **options)

    monkeypatch.setattr(place._obstore, "put_async", cut)
    with pytest.raises(Spoilt, match="other than"):
        [one async for one in exporter_of(stack, place, "daily_bars").export([DAY])]
    assert not [key for key in server.keys(BUCKET) if key.startswith("spoilt")]


async def test_of_two_exports_at_once_to_a_bucket_the_later_ones_sound_file_stands_and_neither_fails(
    stack: Stack, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    other = bucket(server, "other")
    [_ async for _ in exporter_of(stack, other, "daily_bars").export([DAY])]
    others = server.get(BUCKET, f"other/{BARS}")  # made at another moment, which it says: other bytes
    place = bucket(server, "both")
    put = place._obstore.put_async

    async def overtaken(store: Any, key: str, body: bytes, **options: Any) -> Any:
        assert body != others
        await put(store, key, body, **options)
        return await put(store, key, others, **options)

    stack.clock.at += dt.timedelta(seconds=1)
    monkeypatch.setattr(place._obstore, "put_async", overtaken)
    told = [one.outcome async for one in exporter_of(stack, place, "daily_bars").export([DAY])]
    assert told == [Outcome.WRITTEN]
    assert server.get(BUCKET, f"both/{BARS}") == others


async def test_a_file_with_a_sound_footer_and_other_rows_is_not_taken_for_another_exports(
    stack: Stack, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    place = bucket(server, "rows")
    put = place._obstore.put_async

    async def other_rows(store: Any, key: str, body: bytes, **options: Any) -> Any:
        into = io.BytesIO()
        said = pl.read_parquet_metadata(body)
        pl.read_parquet(body).head(3).write_parquet(into, metadata={KEY: said[KEY]})
        return await put(store, key, into.getvalue(), **options)

    monkeypatch.setattr(place._obstore, "put_async", other_rows)
    with pytest.raises(Spoilt, match="other than"):
        [one async for one in exporter_of(stack, place, "daily_bars").export([DAY])]
    assert not [key for key in server.keys(BUCKET) if key.startswith("rows/")]


async def test_a_bucket_that_is_silent_is_away_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.export.bucket.ANSWERS_WITHIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = Server(f"http://127.0.0.1:{silent.getsockname()[1]}", "a", "b")
        with pytest.raises(PlaceAway, match="does not answer"):
            await asyncio.wait_for(bucket(away, "").open(["daily_bars"]), 10)


async def test_the_command_writes_into_a_bucket_and_a_second_one_writes_nothing(
    served: Stack, server: Server, maintenance: Maintenance
) -> None:
    command = ("export", "--from", session(0), "--data-set", "daily_bars", "--to-dir", f"s3://{BUCKET}/command")
    code, out, err = await maintenance(*command, **keys_of(server))
    assert (code, len(out.splitlines())) == (0, 1), err
    assert f"command/daily_bars/trading_date={session(0)}/part.parquet" in server.keys(BUCKET)
    code, out, err = await maintenance(*command, **keys_of(server))
    assert (code, out) == (0, "")
    assert "1 unchanged" in err


@pytest.mark.parametrize(
    ("location", "other", "expected", "words"),
    [
        (f"s3://{BUCKET}", {"EXPORT_S3_SECRET_ACCESS_KEY": "hunter2hunter2"}, 1, "does not accept the keys"),
        (f"s3://{BUCKET}", {"EXPORT_S3_ACCESS_KEY_ID": "AKIAHUNTER2"}, 1, "does not accept the keys"),
        (f"s3://{BUCKET}", {"EXPORT_S3_SECRET_ACCESS_KEY": ""}, 1, "set EXPORT_S3_ACCESS_KEY_ID and"),
        ("s3://no-such-bucket", {}, 1, "there is no bucket s3://no-such-bucket: make it"),
        (
            f"s3://{BUCKET}",
            {"EXPORT_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"},
            4,
            "is EXPORT_S3_ENDPOINT right?",
        ),
        ("s3://", {}, 2, "names no bucket"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_refused_with_the_cure_and_no_secret(
    server: Server, maintenance: Maintenance, location: str, other: dict[str, str], expected: int, words: str
) -> None:
    code, out, err = await maintenance(
        "export", "--from", session(1), "--to", session(0), "--to-dir", location, **keys_of(server, **other)
    )
    assert (code, out) == (expected, ""), err
    assert words in err
    assert "hunter2" not in err.lower()
    assert server.secret_key not in err
