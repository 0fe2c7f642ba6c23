"""Reads the body of an HTTP answer up to a bound, counted on the wire and again unpacked.

Nothing is taken in whole before it is counted: a gzip of two gigabytes of blanks is two megabytes on the wire. What is
longer than its bound, cut off or packed in a way that nobody asked for is a typed error, never an empty body. Bodies
that are large within their bound are read a few at a time, so that many at once cost no more than these.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from consumer.vendor.errors import AnswerTooLarge, BadAnswer, ProviderUnavailable
from consumer.vendor.gunzip import Gunzip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import aiohttp

# What we ask for, and so all that we unpack. A server that packs otherwise was not asked to.
ACCEPT_ENCODING = "gzip"
ORDINARY_BYTES = 1 << 20
LARGE_AT_ONCE = 4
# An honest refusal is a line of JSON, a proxy's page a few kilobytes.
MOST_BYTES_OF_A_REFUSAL = 64 << 10


class BodyReader:
    """Reads bodies side by side; of those over ORDINARY_BYTES only LARGE_AT_ONCE at a time."""

    def __init__(self, *, ordinary: int = ORDINARY_BYTES, large_at_once: int = LARGE_AT_ONCE) -> None:
        self._ordinary = ordinary
        self._large = asyncio.Semaphore(large_at_once)

    @property
    def full(self) -> bool:
        """Whether the next large body has to wait."""
        return self._large.locked()

    async def whole(self, response: aiohttp.ClientResponse, path: str, *, most: int) -> bytes:
        """All of the body. Raises AnswerTooLarge, or what else keeps it from being one; the connection is closed."""
        body = bytearray()
        async with contextlib.AsyncExitStack() as stack:
            waits = True
            async for piece in _bounded(response, path, most):
                body += piece
                if waits and len(body) > self._ordinary:
                    waits = False
                    await stack.enter_async_context(self._large)
            return bytes(body)

    async def beginning(self, response: aiohttp.ClientResponse, path: str) -> tuple[bytes, str | None]:
        """What a refusal says, and why the rest of it was not read, if it was not: its status counts all the same."""
        body = bytearray()
        try:
            async for piece in _bounded(response, path, MOST_BYTES_OF_A_REFUSAL):
                body += piece
        except ProviderUnavailable as error:
            return bytes(body), str(error)
        return bytes(body), None


async def _bounded(response: aiohttp.ClientResponse, path: str, most: int) -> AsyncIterator[bytes]:
    """The body in pieces, at most *most* bytes of it. Who stops before its end has the connection closed by aiohttp."""
    unpacker = _unpacker(response, path)
    if (announced := response.content_length) is not None and announced > most:
        raise AnswerTooLarge(f"{path} announces {announced} bytes; {most} are the most that it can honestly be")
    arrived = unpacked = 0
    async for chunk in response.content.iter_any():
        arrived += len(chunk)
        for piece in unpacker.fed(chunk):
            unpacked += len(piece)
            if unpacked > most:
                break
            yield piece
            await asyncio.sleep(0)  # one chunk may unpack to a thousand times itself: others have their turn
        if arrived > most or unpacked > most:
            raise AnswerTooLarge(f"{path} is longer than {most} bytes, the most that it can honestly be")
    unpacker.finish()


class _AsItIs:
    """The unpacker of what is not packed."""

    def fed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        """Nothing can be missing that the connection does not tell."""


def _unpacker(response: aiohttp.ClientResponse, path: str) -> _AsItIs | Gunzip:
    packed = ", ".join(response.headers.getall("Content-Encoding", [])).strip().lower()
    match packed:
        case "" | "identity":
            return _AsItIs()
        case "gzip" | "x-gzip":
            return Gunzip(path)
        case _:
            raise BadAnswer(f"{path} is packed as {packed[:40]!r}, and {ACCEPT_ENCODING} was asked for")
