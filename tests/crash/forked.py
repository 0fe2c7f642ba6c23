"""Starts consumers by forking a process that has everything imported: most of a short test would be imports.

Each is a process of its own with its own environment, log and death; only the modules are loaded already. Commands
come as JSON lines and are answered one by one: a start with the process id, a wait with the exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

import consumer.__main__
from consumer.embedded.child_process import process_exit
from tests.crash.deployment import end_with_parent
from tests.crash.killed_at import POINTS, die_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Start(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a consumer that dies at *point*, or that lives."""

    environment: dict[str, str]
    log: str
    point: str | None = None


class Wait(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Say how the process ended, once it has."""

    pid: int


class Forks:
    """The test's side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()

    async def start(self, start: Start) -> int:
        return await self._ask(start)

    async def ended(self, pid: int, *, within_s: float) -> int:
        """Return the exit code of *pid* when it has ended; one that does not end is aborted: its log tells where."""
        try:
            await asyncio.wait_for(process_exit(pid), within_s)
        except TimeoutError:
            os.kill(pid, signal.SIGABRT)
        return await self._ask(Wait(pid=pid))

    async def _ask(self, command: Start | Wait) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one_at_a_time:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")
            return int(await self._process.stdout.readline())


@contextlib.asynccontextmanager
async def forks() -> AsyncIterator[Forks]:
    """Run the process that forks until the block ends; what it has forked ends with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.forked", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Forks(process)
    finally:
        process.kill()
        await process.wait()


def serve() -> None:
    for line in sys.stdin:
        match msgspec.json.decode(line, type=Start | Wait):
            case Start() as start:
                answer = os.fork() or run(start)
            case Wait(pid=pid):
                answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def run(start: Start) -> int:
    """The forked process: never returns."""
    end_with_parent()
    log = os.open(start.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, instead in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(instead, descriptor)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(start.environment)
    sys.argv = ["consumer", "--no-http"]
    if start.point is not None:
        die_at(POINTS[start.point])
    os._exit(consumer.__main__.main())


if __name__ == "__main__":
    serve()
