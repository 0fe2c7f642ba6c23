"""Starts a server as a child of ours, waits for it without polling it dry, and ends it step by step.

A child never outlives its parent on Linux (see leash.py) and has its own process session, so that Ctrl-C
reaches only the service, which then stops its servers last. Start children from the main thread only: the
kernel ties the parent-death signal to the *thread* that made the child.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consumer.embedded import leash
from consumer.embedded.errors import ServerEnded, ServerFailed
from consumer.private_files import private_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GLANCE_S = 0.01
LOG_TAIL_BYTES = 2_000
LOG_KEPT_BYTES = 8_000_000

Steps = tuple[tuple[signal.Signals, dt.timedelta], ...]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The user a server runs as when we are root; *masked* means: still root, but it cannot tell."""

    uid: int
    gid: int
    masked: bool = False

    def __str__(self) -> str:
        return leash.MASKED if self.masked else f"{self.uid}:{self.gid}"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """All that is needed to start one server."""

    name: str
    command: tuple[str, ...]
    log_path: Path
    lock: int  # descriptor of the server lock, see server_lock.py; the child keeps it open for life
    ends_on: signal.Signals
    account: Account | None = None


class ChildProcess:
    """One running server."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._log_start = shorten(launch.log_path)
        wrapped = (
            *(sys.executable, "-I", "-S", leash.__file__),
            *(str(os.getpid()), str(int(launch.ends_on))),
            str(launch.account or leash.NO_ACCOUNT),
            *(str(launch.lock), *launch.command),
        )
        with private_log(launch.log_path) as log:
            self._process = subprocess.Popen(
                wrapped,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=server_environment(),
                pass_fds=(launch.lock,),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def ended(self) -> int:
        """Wait for the end of the process, however it comes; return its exit code."""
        while (code := self._process.poll()) is None:
            await process_exit(self.pid)
        return code

    async def ready(self, answers: Callable[[], Awaitable[bool]], patience: dt.timedelta) -> None:
        """Return as soon as *answers* does; raise when the process ends first or time is up."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                while not await answers():
                    if not self.running:
                        raise ServerEnded(f"{self._launch.name} ended while starting.\n{self.log_tail()}")
                    await asyncio.sleep(GLANCE_S)
        except TimeoutError as error:
            message = f"{self._launch.name} did not answer within {patience}.\n{self.log_tail()}"
            raise ServerFailed(message) from error

    async def done(self, patience: dt.timedelta) -> None:
        """Wait for a program that ends by itself, and ends well."""
        try:
            code = await asyncio.wait_for(self.ended(), patience.total_seconds())
        except TimeoutError as error:
            raise ServerFailed(f"{self._launch.name} did not end within {patience}.\n{self.log_tail()}") from error
        if code != 0:
            raise ServerEnded(f"{self._launch.name} failed with exit code {code}.\n{self.log_tail()}")

    async def stop(self, steps: Steps) -> None:
        """Send each signal in turn until the process has ended, and is reaped."""
        for number, patience in steps:
            if self.running:
                self._process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.ended(), patience.total_seconds())

    def log_tail(self) -> str:
        """What this process wrote last, for an error message."""
        path = self._launch.log_path
        with path.open("rb") as log:
            log.seek(max(self._log_start, path.stat().st_size - LOG_TAIL_BYTES))
            return f"{path} says:\n{log.read().decode(errors='replace').rstrip()}"


def server_environment() -> dict[str, str]:
    """Only what a program needs to load: a PGPORT of the caller's shell must not move a socket."""
    return {"PATH": os.defpath, "LC_ALL": "C"} | {
        name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ
    }


def shorten(log_path: Path) -> int:
    """Put an overlong log aside (one is kept); return where the next line will be written."""
    if not log_path.exists():
        return 0
    size = log_path.stat().st_size
    if size < LOG_KEPT_BYTES:
        return size
    log_path.replace(log_path.with_suffix(".log.1"))
    return 0


async def process_exit(pid: int) -> None:
    """Wait until *pid* has ended (a zombie has), or a moment where the system cannot tell."""
    if sys.platform != "linux":
        await asyncio.sleep(GLANCE_S * 5)
        return
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def command_name(pid: int) -> str | None:
    """The program that *pid* runs; None when it runs nothing (any more)."""
    if sys.platform == "linux":
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            return None
        program = command.split("\0", 1)[0]
    else:
        program = subprocess.check_output(["ps", "-o", "comm=", "-p", str(pid)], text=True).strip()
    return Path(program).name or None
