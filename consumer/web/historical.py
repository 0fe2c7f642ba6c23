"""Listens on the port of "historical" as well, so that it can be switched off and nobody who asks it notices.

Several of our processes may share a host: the first has the port, and the others, as beside a "historical" that still
runs, wait until it is free.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from loguru import logger

from consumer.web.listener import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

TRIED_AGAIN_AFTER_S = 5.0


async def serve_when_free(build: Callable[[], web.Application], host: str, port: int) -> None:
    """Serve what *build* gives on *port* as soon as nobody else does, until cancelled. Raises OSError for another
    reason why nobody may listen there."""
    told = False
    while True:
        try:
            async with listening(build(), host, port):
                logger.info("historical_port_served", host=host, port=port)
                await asyncio.Event().wait()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        if not told:
            logger.warning("historical_port_taken", host=host, port=port, runbook="historical-port-taken")
            told = True
        await asyncio.sleep(TRIED_AGAIN_AFTER_S)
