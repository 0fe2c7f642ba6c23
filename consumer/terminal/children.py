"""Starts the other processes of a run and starts again what ends unasked.

A child dies with its parent (parent-death signal on Linux), so a killed run leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from loguru import logger

from consumer import this_machine
from consumer.private_files import private_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
STOP_PATIENCE_S = 8.0
SHORT_LIFE_S = 5.0
LONGEST_PAUSE_S = 30.0
REFUSED = 2  # a process of ours that a person must help: started again, it would refuse again
READY_PATIENCE_S = 120.0


class ChildFailed(Exception):
    """A process that the run cannot do without has ended; the text says where its log is."""


class Child:
    """One process, started anew after it ended unasked."""

    def __init__(
        self, name: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path | None
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id, None before the first start."""
        return None if self._process is None else self._process.pid

    async def start(self, *, read_ready_line: bool = False) -> dict[str, str]:
        """Start the process; with *read_ready_line* wait for its first line, a JSON object, and return that."""
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(private_log(self._log)) if self._log else None
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if read_ready_line else target or asyncio.subprocess.DEVNULL,
                stderr=target,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        if not read_ready_line or self._process.stdout is None:
            return {}
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_PATIENCE_S)
            answer: dict[str, str] = json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise ChildFailed(f"{self.name} did not start; its log: {self._log or 'above'}") from error
        return answer

    async def keep_running(self) -> None:
        """Start the process again whenever it ended unasked; waits ever longer when it lives only briefly.

        Raises ChildFailed where it refuses to run.
        """
        starts = 0
        while (process := self._process) is not None:
            since = time.monotonic()
            code = await process.wait()
            if self._stopping:
                return
            if code == REFUSED:
                raise ChildFailed(f"{self.name} refuses to run; its log: {self._log or 'above'}")
            logger.warning("process_ended_starting_it_again", process=self.name, exit_code=code)
            starts = starts + 1 if time.monotonic() - since < SHORT_LIFE_S else 0
            await self._start_again(starts)

    async def _start_again(self, starts: int) -> None:
        """Pause as long as it takes: what keeps a process from starting is often a server that is coming back."""
        while not self._stopping:
            await asyncio.sleep(min(2.0**starts, LONGEST_PAUSE_S) if starts else 0.0)
            try:
                await self.start()
            except OSError as error:  # too many open files, no room for its log
                starts += 1
                logger.warning("process_not_started", process=self.name, reason=this_machine.in_words(error))
            else:
                return
        return

    async def must_run(self) -> None:
        """Return never; raises ChildFailed when the process ends unasked."""
        assert self._process is not None, "started"
        code = await self._process.wait()
        if not self._stopping:
            raise ChildFailed(f"{self.name} ended with exit code {code}; its log: {self._log or 'above'}")

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL if it does not end."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_PATIENCE_S)
        except TimeoutError:
            logger.warning("process_killed", process=self.name)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
