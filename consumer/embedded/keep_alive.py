"""Starts an embedded server again whenever it has ended unasked.

Out of memory, or a person's `kill -9`: the service's own retries bridge the second that this takes, because
the new server listens on the old socket. A server that cannot start ends the watch with its own error.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from loguru import logger

SHORT_LIFE_S = 10.0


class EmbeddedServer(Protocol):
    @property
    def stopped(self) -> bool: ...
    async def start(self) -> None: ...
    async def ended(self) -> int: ...


async def keep_alive(server: EmbeddedServer) -> None:
    """Return when the server was stopped by its owner, who cancels this first if a restart may be under way."""
    while True:
        watched_since = time.monotonic()
        code = await server.ended()
        if server.stopped:
            return
        logger.bind(server=type(server).__name__, exit_code=code).warning("embedded server ended, starting it again")
        if time.monotonic() - watched_since < SHORT_LIFE_S:
            await asyncio.sleep(1)  # it may be dying of its own data: do not spin
        await server.start()
