"""The vendor's bucket, spoken to over the S3 protocol: a real server on loopback, with keys that it checks."""

from __future__ import annotations

import datetime as dt
import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from consumer.massive import flat_file_bucket
from consumer.massive.flat_file_bucket import Bucket, open_store
from consumer.massive.flat_file_check import FileBound
from consumer.massive.flat_files import flat_file_path
from consumer.vendor.errors import AnswerTooLarge, FlatFilesUnusable, NotYetPublished, ProviderUnavailable
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.requests import counted_requests
from tests.s3_server import Server, free_port, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.vendor.protocol import FlatFileStore

DAY = dt.date(2026, 7, 15)
BUCKET = "flatfiles"
KEY = flat_file_path(Path(), FlatFileKind.MINUTE, DAY).as_posix()


def publish(server: Server, body: bytes, key: str = KEY) -> None:
    server.put(BUCKET, key, body)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3_server(BUCKET) as served:
        yield served


@pytest.fixture
def store(server: Server, tmp_path: Path) -> FlatFileStore:
    server.client().delete_object(Bucket=BUCKET, Key=KEY)
    return opened(server, tmp_path)


def opened(server: Server, kept_in: Path, location: str = f"s3://{BUCKET}", **keys: str) -> FlatFileStore:
    known = {"access_key": server.access_key, "secret_key": server.secret_key, **keys}
    return open_store(location, kept_in=kept_in, endpoint=keys.pop("endpoint", server.endpoint), **{
        name: known[name] for name in ("access_key", "secret_key")})  # fmt: skip


async def test_a_file_that_is_not_there_yet_is_not_yet_published(server: Server, store: FlatFileStore) -> None:
    publish(server, b"other", key="us_stocks_sip/minute_aggs_v1/2026/07/2026-07-14.csv.gz")
    assert await store.version(FlatFileKind.MINUTE, DAY) is None
    with pytest.raises(NotYetPublished, match="2026-07-15"):
        await store.fetch(FlatFileKind.MINUTE, DAY)


async def test_a_file_is_downloaded_once_a_version(server: Server, store: FlatFileStore) -> None:
    publish(server, b"first")
    first = await store.fetch(FlatFileKind.MINUTE, DAY)
    assert first.path.read_bytes() == b"first"
    written_at = first.path.stat().st_mtime_ns
    with counted_requests() as counts:
        again = await store.fetch(FlatFileKind.MINUTE, DAY)
    assert (again, again.path.stat().st_mtime_ns) == (first, written_at)
    assert counts == {"flat_files": 1}, "one look at its version, no download"


async def test_a_replaced_file_has_another_version_and_takes_the_old_ones_place(
    server: Server, store: FlatFileStore
) -> None:
    publish(server, b"first")
    first = await store.fetch(FlatFileKind.MINUTE, DAY)
    publish(server, b"corrected")
    second = await store.fetch(FlatFileKind.MINUTE, DAY)
    assert second.path.read_bytes() == b"corrected"
    assert second.version != first.version
    assert not first.path.exists()
    assert await store.version(FlatFileKind.MINUTE, DAY) == second.version


async def test_a_prefix_is_part_of_the_place(server: Server, tmp_path: Path) -> None:
    publish(server, b"below", key=f"mirror/{KEY}")
    below = opened(server, tmp_path, f"s3://{BUCKET}/mirror/")
    assert (await below.fetch(FlatFileKind.MINUTE, DAY)).path.read_bytes() == b"below"


async def test_keys_that_the_bucket_does_not_know_are_rejected_and_not_shown(server: Server, tmp_path: Path) -> None:
    wrong = opened(server, tmp_path, access_key="AKIAWRONG", secret_key="hunter2")
    with pytest.raises(FlatFilesUnusable, match="MASSIVE_S3_ACCESS_KEY_ID") as refused:
        await wrong.fetch(FlatFileKind.MINUTE, DAY)
    assert "hunter2" not in str(refused.value)


async def test_a_bucket_that_does_not_exist_is_named(server: Server, tmp_path: Path) -> None:
    elsewhere = opened(server, tmp_path, "s3://no-such-bucket")
    with pytest.raises(FlatFilesUnusable, match="no bucket s3://no-such-bucket"):
        await elsewhere.version(FlatFileKind.MINUTE, DAY)


async def test_a_server_that_is_away_is_asked_again_later(server: Server, tmp_path: Path) -> None:
    away = open_store(
        f"s3://{BUCKET}", kept_in=tmp_path, access_key="a", secret_key="b", endpoint=f"http://127.0.0.1:{free_port()}"
    )
    with pytest.raises(ProviderUnavailable):
        await away.version(FlatFileKind.MINUTE, DAY)


async def test_a_file_replaced_between_look_and_download_is_what_it_says(
    server: Server, store: FlatFileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, b"first")
    assert isinstance(store, Bucket)
    look = store.version

    async def look_and_be_overtaken(kind: FlatFileKind, day: dt.date) -> str | None:
        seen = await look(kind, day)
        publish(server, b"second")
        return seen

    monkeypatch.setattr(store, "version", look_and_be_overtaken)
    file = await store.fetch(FlatFileKind.MINUTE, DAY)
    assert file.path.read_bytes() == b"second"
    assert file.version == await look(FlatFileKind.MINUTE, DAY)


async def test_the_versions_of_a_year_are_asked_for_by_the_month_and_are_those_of_the_files(
    server: Server, tmp_path: Path
) -> None:
    """A listing that names another version than the file has would have every file loaded again each night."""
    days = [dt.date(2026, month, day) for month in range(1, 13) for day in (5, 6, 7)]
    published = {day: flat_file_path(Path(), FlatFileKind.DAY, day).as_posix() for day in days[::2]}
    for key in published.values():
        publish(server, key.encode(), key=f"year/{key}")
    store = opened(server, tmp_path, f"s3://{BUCKET}/year")
    with counted_requests() as counts:
        found = await store.versions(FlatFileKind.DAY, days)
    assert set(found) == set(published)
    assert counts == {"flat_files": 12}
    assert found[days[0]] == (await store.fetch(FlatFileKind.DAY, days[0])).version


async def test_a_bucket_that_does_not_answer_is_left_alone_after_two_questions(tmp_path: Path) -> None:
    away = open_store(
        f"s3://{BUCKET}", kept_in=tmp_path, access_key="a", secret_key="b", endpoint=f"http://127.0.0.1:{free_port()}"
    )
    told = set()
    with counted_requests() as counts:
        for number in range(1, 6):
            with pytest.raises(ProviderUnavailable) as caught:
                await away.fetch(FlatFileKind.MINUTE, dt.date(2026, 7, number))
            told.add(str(caught.value))
    assert counts == {"flat_files": 2}
    assert told == {"s3://flatfiles does not answer: GenericError"}, "one line a night, not one a file"


async def test_a_bucket_that_takes_questions_and_says_nothing_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat_file_bucket, "LOOK_WITHIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        away = open_store(f"s3://{BUCKET}", kept_in=tmp_path, access_key="a", secret_key="b", endpoint=endpoint)
        with pytest.raises(ProviderUnavailable, match="s3://flatfiles does not answer: TimeoutError"):
            await away.versions(FlatFileKind.MINUTE, [DAY])


async def test_a_bucket_that_is_back_is_found_out_by_one_question_for_all_that_are_asked_at_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [dt.date(2026, month, 6) for month in range(1, 7)]
    for day in days:
        publish(server, b"any", key=f"back/{flat_file_path(Path(), FlatFileKind.DAY, day).as_posix()}")
    monkeypatch.setattr(flat_file_bucket, "LEFT_ALONE", dt.timedelta(0))
    store = opened(server, tmp_path, f"s3://{BUCKET}/back")
    with monkeypatch.context() as impatient:
        impatient.setattr(flat_file_bucket, "LOOK_WITHIN_S", 0)
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                await store.versions(FlatFileKind.DAY, days[:1])
    assert set(await store.versions(FlatFileKind.DAY, days)) == set(days)


async def test_a_file_larger_than_any_honest_one_is_not_downloaded(
    server: Server, store: FlatFileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, b"first")
    monkeypatch.setattr(flat_file_bucket, "BOUND", FileBound(packed=4))
    with pytest.raises(AnswerTooLarge, match="has 5 bytes; 4 are the most"):
        await store.fetch(FlatFileKind.MINUTE, DAY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_folder_that_cannot_be_written_is_told_before_a_byte_is_downloaded(
    server: Server, store: FlatFileStore, tmp_path: Path
) -> None:
    publish(server, b"first")
    (tmp_path / "us_stocks_sip").write_text("in the way")
    with counted_requests() as counts, pytest.raises(FlatFilesUnusable, match=f"{tmp_path}/us_stocks_sip.*; "):
        await store.fetch(FlatFileKind.MINUTE, DAY)
    assert counts == {"flat_files": 1}, "the look at its version"


async def test_a_disk_that_fills_up_leaves_no_piece_behind_and_is_named_with_its_cure(
    server: Server, store: FlatFileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, b"first")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Path, "open", mock.Mock(side_effect=full))
    with pytest.raises(FlatFilesUnusable, match=r"minute_aggs_v1/.*: No space left on device; free some disk space"):
        await store.fetch(FlatFileKind.MINUTE, DAY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
