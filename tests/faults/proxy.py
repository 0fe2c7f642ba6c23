"""A TCP proxy in front of PostgreSQL that can be told to fall silent: connections stay open and nothing passes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Proxy:
    """Passes bytes on; of those it was told to swallow nothing more comes through, either way."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._links: set[asyncio.Event] = set()  # set: swallows
        self._tasks: set[asyncio.Task[None]] = set()
        self.swallows_new = False
        self.accepted = 0

    def swallow(self) -> None:
        """All connections there are stop answering; new ones work unless *swallows_new*."""
        for link in self._links:
            link.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = asyncio.Event()
        self._links.add(link)
        if self.swallows_new:
            link.set()
        try:
            there_reader, there_writer = await asyncio.open_unix_connection(self._socket_path)
        except OSError:
            return writer.close()
        pumps = [
            asyncio.create_task(self._pump(reader, there_writer, link)),
            asyncio.create_task(self._pump(there_reader, writer, link)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps)
        self._links.discard(link)
        return None

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if not link.is_set():
                    sink.write(chunk)
                    await sink.drain()
        sink.close()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def proxy_before(dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Give a proxy of the PostgreSQL of *dsn* (on a unix socket), and the address that goes through it."""
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query)["host"][0]
    proxy = Proxy(f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.username or "postgres"
    try:
        yield proxy, f"postgresql://{user}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    finally:
        server.close()
        await proxy.end()
