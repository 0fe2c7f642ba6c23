"""As root PostgreSQL runs as somebody else, or says which directory is in the way."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from consumer.embedded.errors import EmbeddedUnavailable
from consumer.embedded.postgres_binaries import account_for, find_binaries
from consumer.embedded.postgres_server import EmbeddedPostgres

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")


@pytest.mark.skipif(os.geteuid() == 0, reason="is about running as an ordinary user")
def test_an_ordinary_user_runs_it_as_himself(data_dir: Path) -> None:
    assert account_for(data_dir / "postgres", find_binaries()) is None


@as_root
def test_root_runs_new_data_as_nobody(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    account = account_for(data_dir / "postgres", find_binaries())
    assert account is not None
    assert account.uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_root_runs_existing_data_as_its_owner(data_dir: Path) -> None:
    home = data_dir / "postgres"
    home.mkdir(parents=True)
    owner = pwd.getpwnam("daemon").pw_uid
    os.chown(home, owner, -1)
    account = account_for(home, find_binaries())
    assert account is not None
    assert account.uid == owner


@as_root
async def test_root_is_told_which_directory_is_in_the_way(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    with pytest.raises(EmbeddedUnavailable, match=rf"cannot enter {data_dir.parent},.*DATABASE_URL"):
        await EmbeddedPostgres(data_dir).start()
