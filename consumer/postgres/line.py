"""Stands between a session's socket and its driver: notes what moves, and has the kernel notice a peer that is gone."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

# Seconds of silence, between probes, and probes: a peer that is gone is noticed after eleven, also by idle sessions.
KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 11_000}


class Line(asyncio.Protocol):
    """Stands between socket and driver, and notes when last a byte came in or a full buffer was drained.

    A COPY may last for minutes in which the server waits for us most of the time: what moves is not silent.
    """

    def __init__(self, driver: Any) -> None:
        self.moved_at = 0.0
        self._time = asyncio.get_running_loop().time
        self._driver = driver

    def data_received(self, data: bytes) -> None:
        self.moved_at = self._time()
        self._driver.data_received(data)

    def resume_writing(self) -> None:
        self.moved_at = self._time()
        self._driver.resume_writing()

    def pause_writing(self) -> None:
        self._driver.pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.connection_lost(exc)


def listen(connection: asyncpg.Connection[asyncpg.Record]) -> Line:
    """Note what moves, and have the kernel notice a peer that is gone. The driver gives its transport away nowhere."""
    transport: asyncio.BaseTransport = connection._transport  # type: ignore[attr-defined]
    line = Line(transport.get_protocol())
    transport.set_protocol(line)
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return line
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):  # macOS has its own for the first, and none for the last
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return line
