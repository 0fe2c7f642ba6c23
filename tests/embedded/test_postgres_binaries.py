"""As root PostgreSQL runs as somebody else, or says which directory is in the way."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from consumer.embedded import leash
from consumer.embedded.errors import EmbeddedUnavailable
from consumer.embedded.postgres_binaries import account_for, find_binaries
from consumer.embedded.postgres_server import EmbeddedPostgres

ANYWHERE = Path("/usr/bin")  # where every user may go, unlike perhaps this checkout
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")


@pytest.mark.skipif(os.geteuid() == 0, reason="is about running as an ordinary user")
def test_an_ordinary_user_runs_it_as_himself(data_dir: Path) -> None:
    assert account_for(data_dir / "postgres", find_binaries()) is None


@as_root
def test_root_runs_new_data_as_nobody(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    account = account_for(data_dir / "postgres", ANYWHERE)
    assert account is not None
    assert account.uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_root_runs_existing_data_as_its_owner(data_dir: Path) -> None:
    home = data_dir / "postgres"
    home.mkdir(parents=True)
    owner = pwd.getpwnam("daemon").pw_uid
    os.chown(home, owner, -1)
    account = account_for(home, ANYWHERE)
    assert account is not None
    assert account.uid == owner


@as_root
async def test_root_stays_root_unseen_where_nobody_cannot_go(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    if not namespaces_allowed():
        pytest.skip("this system gives no user namespaces")
    server = EmbeddedPostgres(data_dir, {"fsync": "off"})
    for _ in ("new data", "data that belongs to root"):
        await server.start()
        try:
            await (await asyncpg.connect(server.dsn)).close()
            assert (data_dir / "postgres" / "cluster").stat().st_uid == 0
            assert effective_capabilities(server.pid) == 0
        finally:
            await server.stop()
        data_dir.parent.chmod(0o711)


@as_root
def test_root_is_told_which_directory_is_in_the_way(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir.mkdir(parents=True)
    data_dir.parent.chmod(0o700)
    monkeypatch.setattr("consumer.embedded.leash.PROBE", "refused")
    with pytest.raises(EmbeddedUnavailable, match=rf"cannot enter {data_dir.parent},.*DATABASE_URL"):
        account_for(data_dir / "postgres", ANYWHERE)


def namespaces_allowed() -> bool:
    return subprocess.run([sys.executable, leash.__file__, leash.PROBE], check=False).returncode == 0


def effective_capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)
