"""A wire between the product and a server that can be cut, muted or slowed: TCP in, TCP or a unix socket out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
DRIP_EVERY_S = 1.0


class State(Enum):
    """What the wire does with what is sent over it."""

    WHOLE = "whole"
    REFUSING = "refusing"  # connections are reset, new ones refused: the server's process is gone
    BLACK_HOLE = "black hole"  # the connections that stand swallow everything; new ones work
    SILENT = "silent"  # connections are taken, and nothing is ever answered
    UNREACHABLE = "unreachable"  # packets are dropped, those of new connections too: the network is gone
    DRIPPING = "dripping"  # a byte a second of what is answered


class Wire:
    """One port on loopback that leads to *connect*."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._full: list[socket.socket] = []
        self._standing: set[asyncio.Task[None]] = set()
        self._swallowing: set[asyncio.Task[None]] = set()
        self.state = State.WHOLE
        self.port = 0

    async def be(self, state: State) -> None:
        """Become *state*; what it means for the connections that stand is said there."""
        self.state = state
        if state in (State.BLACK_HOLE, State.SILENT, State.UNREACHABLE):
            self._swallowing |= self._standing
        if state is State.REFUSING:
            await self._break_connections()
        if state in (State.REFUSING, State.UNREACHABLE):
            await self._stop_listening()
        if state is State.UNREACHABLE:
            await self._drop_packets()
        elif state is not State.REFUSING:
            await self._listen()

    async def mend(self) -> None:
        """Be whole; what was swallowed stays lost, and so do its connections."""
        for task in self._swallowing:
            task.cancel()
        await self.be(State.WHOLE)

    async def end(self) -> None:
        await self._stop_listening()
        await self._break_connections()

    async def _listen(self) -> None:
        for one in self._full:
            one.close()
        self._full = []
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()  # `wait_closed` would wait for the connections that stand
            self._server = None

    async def _break_connections(self) -> None:
        for task in self._standing:
            task.cancel()
        if self._standing:
            await asyncio.wait(self._standing)

    async def _drop_packets(self) -> None:
        """A listener that accepts nobody and whose queue is full: the kernel drops what comes, as a lost route does."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._full = [listener]
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._full.append(filler)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._standing.add(task)
        if self.state is State.SILENT:
            self._swallowing.add(task)
        behind: asyncio.StreamWriter | None = None
        try:
            answers, behind = await self._connect()
            await asyncio.gather(
                self._pump(reader, behind, task, answering=False), self._pump(answers, writer, task, answering=True)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._standing.discard(task)
            self._swallowing.discard(task)
            for one in (writer, behind):
                if one is not None:
                    one.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, of: asyncio.Task[None], *, answering: bool
    ) -> None:
        while data := await source.read(65536):
            if of in self._swallowing:
                continue
            if answering and self.state is State.DRIPPING:
                for byte in data:
                    target.write(bytes([byte]))
                    await asyncio.sleep(DRIP_EVERY_S)
                    if self.state is not State.DRIPPING:
                        break
                continue
            target.write(data)
            await target.drain()
        if of in self._swallowing:
            await asyncio.Event().wait()  # the end of a connection is a packet as well
        of.cancel()


@contextlib.asynccontextmanager
async def wire_to(connect: Callable[[], Awaitable[Streams]]) -> AsyncIterator[Wire]:
    wire = Wire(connect)
    await wire.be(State.WHOLE)
    try:
        yield wire
    finally:
        await wire.end()


@contextlib.asynccontextmanager
async def wire_before(dsn: str) -> AsyncIterator[tuple[Wire, str]]:
    """Give a wire to the PostgreSQL of *dsn* (on a unix socket), and the address that leads over it."""
    parts = urlsplit(dsn)
    path = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    async with wire_to(lambda: asyncio.open_unix_connection(path)) as wire:
        yield wire, f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{wire.port}{parts.path}?sslmode=disable"
