"""A pooler as the protocol sees one: refuses start-up parameters, or deals sessions out for each transaction."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOLERATED = {"user", "database", "application_name", "client_encoding"}  # and a few more, as pgbouncer has it
Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Pooler:
    """*deals*: a session is the client's own only until its transaction ends; *sessions*: how many there are."""

    def __init__(self, socket_path: str, *, deals: bool, sessions: int) -> None:
        self._socket_path = socket_path
        self._deals = deals
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        self._left = asyncio.Semaphore(sessions)
        self._greeting = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await _with_length(reader)
        words = startup[8:].split(b"\0")
        names = {name.decode() for name in words[0:-2:2]}
        if names - TOLERATED:
            refused = f"unsupported startup parameter: {min(names - TOLERATED)}".encode()
            writer.write(_message(b"E", b"SFATAL\0C08P01\0M" + refused + b"\0\0"))
            return
        await self._pool(startup)
        writer.write(self._greeting)
        await self._talk(reader, writer)

    async def _pool(self, startup: bytes) -> None:
        """Open one session more, if there may be; the greeting of the first is everybody's, under a made-up number."""
        if self._left.locked():
            return
        await self._left.acquire()
        link = await asyncio.open_unix_connection(self._socket_path)
        link[1].write(startup)
        said = b""
        while not said.endswith(b"Z\0\0\0\x05I"):
            kind, message = await _read(link[0])
            said += _message(b"K", struct.pack(">ii", 1, 1)) if kind == b"K" else message
        self._greeting = self._greeting or said
        self._free.put_nowait(link)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link: Link | None = None
        try:
            while True:
                kind, message = await _read(reader)
                if kind == b"X":
                    return
                link = link or await self._free.get()
                link[1].write(message)
                if kind not in b"QS":  # nothing is answered before a Sync; Flush does not occur without one here
                    if kind != b"H":
                        continue
                    await _pass_on(link[0], writer, until=b"tTn1")
                    continue
                idle = await _pass_on(link[0], writer, until=b"Z")
                if idle and self._deals:
                    self._free.put_nowait(link)
                    link = None
        finally:
            if link is not None:
                self._free.put_nowait(link)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, until: bytes) -> bool:
    """Until ReadyForQuery, or to where a Flush ends; say whether no transaction is open."""
    while True:
        kind, message = await _read(source)
        sink.write(message)
        if kind == b"Z":
            return message.endswith(b"I")
        if until != b"Z" and kind in b"TnE":
            return False


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    return kind, kind + await _with_length(reader)


async def _with_length(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">i", head)[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


@contextlib.asynccontextmanager
async def pooler_before(dsn: str, *, deals: bool, sessions: int = 4) -> AsyncIterator[str]:
    """Give the address of a pooler of the PostgreSQL of *dsn*, which is on a unix socket."""
    parts = urlsplit(dsn)
    pooler = Pooler(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432", deals=deals, sessions=sessions)
    clients: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(asyncio.create_task(pooler.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"
    finally:
        server.close()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        while not pooler._free.empty():
            pooler._free.get_nowait()[1].close()
