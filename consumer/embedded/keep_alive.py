"""Starts an embedded server again whenever it has ended unasked, at first at once and then with growing pauses.

Out of memory, or a person's `kill -9`: the service's own retries bridge the second that this takes, because the new
server listens on the old socket. One that ends or does not start again and again is given up, with its last words.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from consumer import this_machine
from consumer.embedded.errors import EmbeddedError, ServerEnded, ServerFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONG_LIFE_S = 30.0
LONGEST_PAUSE_S = 30.0
MOST_STARTS = 10  # in a row, together some three minutes
FIRST_STARTS = 3  # of a run that begins: whoever waits for it is told soon


class EmbeddedServer(Protocol):
    @property
    def stopped(self) -> bool: ...
    async def start(self) -> None: ...
    async def ended(self) -> int: ...


class Supervisor:
    """Keeps one server alive."""

    def __init__(
        self,
        server: EmbeddedServer,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._clock = clock
        self._sleep = sleep
        self._starts = 0  # since it last lived for long
        self._last_words = ""

    async def run(self) -> None:
        """Return when the server was stopped by its owner, who cancels this first if a restart may be under way.

        Raises ServerFailed once it was started too often in a row.
        """
        while True:
            since = self._clock()
            code = await self._server.ended()
            if self._server.stopped:
                return
            if self._clock() - since >= LONG_LIFE_S:
                self._starts = 0
            self._last_words = f"it ended with exit code {code}"
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            if self._starts >= MOST_STARTS:
                raise ServerFailed(
                    f"{type(self._server).__name__} was started {self._starts} times in a row and does not stay up: "
                    f"{self._last_words}"
                )
            pause_s = min(2.0 ** (self._starts - 1), LONGEST_PAUSE_S) if self._starts else 0.0
            self._starts += 1
            logger.bind(
                server=type(self._server).__name__, reason=self._last_words, start=self._starts, pause_s=pause_s
            ).warning("embedded server ended, starting it again")
            await self._sleep(pause_s)
            try:
                await self._server.start()
            except OSError as error:
                self._last_words = this_machine.in_words(error)
            except EmbeddedError as error:
                self._last_words = str(error)
            else:
                return


async def start(server: EmbeddedServer) -> None:
    """Start *server*, and again where it ended over it: it may have been killed. Raises EmbeddedError."""
    for _ in range(FIRST_STARTS - 1):
        try:
            return await server.start()
        except ServerEnded as error:
            reason = str(error).partition("\n")[0]
            logger.bind(server=type(server).__name__, reason=reason).warning("embedded server ended as it started")
    return await server.start()


async def keep_alive(server: EmbeddedServer) -> None:
    """Start *server* again whenever it ended unasked. Raises ServerFailed once that was in vain too often."""
    await Supervisor(server).run()
