"""What a run writes down is for its user alone, from the first moment, also where an earlier release left it open."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer import private_files
from consumer.embedded.child_process import ChildProcess, Launch
from consumer.settings import BadSettings, read_settings
from consumer.terminal.refused import CommandRefused
from consumer.terminal.servers import ADDRESSES, Servers, announce, locate, started
from market.calendar_errors import BadOverrides
from market.data_source import VENDOR
from market.trading_calendar import load_overrides
from tests.terminal.modes import open_to_others

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = {"REDIS_URL": "redis://:sesame@h/0", "DATABASE_URL": "postgresql://u:sesame@h/d"}
SERVERS = Servers(redis_url=OWN["REDIS_URL"], database_url=OWN["DATABASE_URL"])


@pytest.fixture(autouse=True)
def _generous() -> Iterator[None]:
    """A umask that takes nothing away: what is closed was closed on purpose."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_addresses_of_a_run_are_for_its_user_alone_and_replace_what_was_open(tmp_path: Path) -> None:
    path = tmp_path / ADDRESSES
    path.write_text("{}")
    path.chmod(0o666)
    read_by_others = path.open("rb")  # by somebody who had it open before: gets nothing of what follows
    settings = read_settings({**OWN, "DATA_DIR": str(tmp_path)})
    announce(settings, SERVERS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_by_others.read() == b"{}"
    read_by_others.close()
    assert msgspec.json.decode(path.read_bytes(), type=Servers) == SERVERS
    assert [found.name for found in tmp_path.iterdir()] == [ADDRESSES]


async def test_what_an_earlier_release_left_open_is_closed_when_a_run_begins(tmp_path: Path) -> None:
    path = tmp_path / ADDRESSES
    path.write_bytes(msgspec.json.encode(SERVERS))
    path.chmod(0o644)
    async with started(read_settings({**OWN, "DATA_DIR": str(tmp_path)}), VENDOR, on_loss=lambda _: None):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    logs = tmp_path / "logs"
    logs.mkdir(0o755)
    (logs / "worker-1.log").write_text("said")
    assert open_to_others(tmp_path) == [f"{logs / 'worker-1.log'} 666", f"{logs} 755"]
    private_files.private_folder(logs)
    assert open_to_others(tmp_path) == []


def test_a_link_in_the_place_of_a_file_is_neither_followed_nor_narrowed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("another's")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    mode = elsewhere.stat().st_mode
    private_files.narrow(link)
    private_files.write_private(link, b"ours")
    assert (elsewhere.read_text(), elsewhere.stat().st_mode) == ("another's", mode)
    assert (link.read_bytes(), link.is_symlink()) == (b"ours", False)


async def test_the_log_of_a_server_is_made_for_its_user_alone(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    launch = Launch(name="any", command=("/bin/true",), log_path=tmp_path / "server.log", lock=lock, ends_on=2)  # type: ignore[arg-type]
    child = ChildProcess(launch)
    os.close(lock)
    await child.ended()
    assert open_to_others(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_addresses_of_another_user_are_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / ADDRESSES).write_text("{}")
    (tmp_path / ADDRESSES).chmod(0)
    with pytest.raises(CommandRefused, match="ask as that user"):
        locate(read_settings({"DATA_DIR": str(tmp_path)}))


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"REDIS_URL_FILE=.* is longer than \d+ bytes: name another file"):
        read_settings({"REDIS_URL_FILE": "/dev/zero"})
    long = tmp_path / "overrides.toml"
    long.write_bytes(b"#" * 1_100_000)
    with pytest.raises(BadOverrides, match="is longer than 1048576 bytes"):
        load_overrides(long)
    (tmp_path / ADDRESSES).write_bytes(b"[" * 1_100_000)
    with pytest.raises(CommandRefused, match=ADDRESSES):
        locate(read_settings({"DATA_DIR": str(tmp_path)}))
