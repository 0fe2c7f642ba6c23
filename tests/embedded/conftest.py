"""Gives each test of the embedded servers a data directory, and a process that can be killed with its servers."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = Path(__file__).with_name("service_to_kill.py")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not `tmp_path`: as root that one lies where the user PostgreSQL runs as cannot go."""
    parent = Path(tempfile.mkdtemp(prefix="dm-embedded-"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


class Service:
    """A process of its own that holds the data directory's lock and runs both servers."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVICE), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.redis_url: str = ready["redis_url"]
        self.postgres_dsn: str = ready["postgres_dsn"]
        self.pids: tuple[int, int] = tuple(ready["pids"])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def servers_end_within(self, *, seconds: float) -> bool:
        return all(ends_within(pid, seconds=seconds) for pid in self.pids)


@pytest.fixture
def start_service(data_dir: Path) -> Iterator[Callable[[], Service]]:
    started: list[Service] = []

    def start() -> Service:
        started.append(Service(data_dir))
        return started[-1]

    yield start
    for service in started:
        if service.process.returncode is None:
            service.kill()
        assert service.servers_end_within(seconds=20)


@pytest.fixture
def cleaned() -> Iterator[list[Path]]:
    """Directories outside of the data directory, to be removed."""
    directories: list[Path] = []
    yield directories
    for directory in directories:
        directory.rmdir()


def ends_within(pid: int, *, seconds: float) -> bool:
    """Wait for the end of a process that is not our child."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)
    return True
