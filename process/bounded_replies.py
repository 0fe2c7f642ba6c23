"""Reads the replies of Redis in bounded memory, whatever stands in an entry or under a key.

A client cannot know how large a value is before it asks for it, and a blocking read brings a whole entry. So a text
that is longer than anything of ours is read through, hashed and dropped as it comes; what is left is a `Cut`. The same
with the fields of an entry that has more of them than any message, and with all texts of a reply that is too long in
all. In Python, not C: what comes here are entries and the answers of scripts, a few texts each.
"""

from __future__ import annotations

import hashlib
from typing import Any

from redis._parsers.resp3 import _AsyncRESP3Parser
from redis.exceptions import ConnectionError as RedisUnreachable

from process.shortened import BEGINNING, Cut

# Nothing that we write has a hundredth of it.
LONGEST_TEXT = 1_000_000
# Of one reply: from there on every text is as short as what is kept of a long one.
MOST_BYTES = 8_000_000
# Fields of an entry, names and values. An entry's list stands within the entry, within a list of entries or what is
# told of a stream; no other list that we ask for lies so deep.
MOST_TEXTS = 2_000
ENTRY_DEPTH = 3
_CHUNK = 65_536
_DOLLAR = b"$"[0]
_CLOSED = "Connection closed by server."


class BoundedReplies(_AsyncRESP3Parser):
    """The parser of one connection; a reply that is not read to its end costs the connection, as with any other."""

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]
        self._line: bytes | None = None
        self._depth = self._taken = 0

    def _clear(self) -> None:
        super()._clear()  # type: ignore[no-untyped-call]
        self._pos, self._line = 0, None

    async def read_response(self, disable_decoding: bool = False, push_request: bool = False) -> Any:
        self._depth = self._taken = 0
        answer = await self._read_response(disable_decoding=disable_decoding, push_request=push_request)
        # What is left is the next reply of a pipeline; a connection that has something left is not used for another.
        self._buffer, self._pos = self._buffer[self._pos :], 0
        return answer

    async def _read_response(self, disable_decoding: bool = False, push_request: bool = False) -> Any:
        line = await self._readline()
        match line[:1]:
            case b"$":
                text = await self._read(int(line[1:]))
                return text if disable_decoding or text is None else self._decoded(text)
            case b"*":
                return await self._read_list(int(line[1:]), disable_decoding=disable_decoding)
            case b":":
                return int(line[1:])
        self._line = line  # everything else is read as the client's own parser does
        self._depth += (level := int(line[:1] == b"%"))
        answer = await super()._read_response(disable_decoding=disable_decoding, push_request=push_request)
        self._depth -= level
        return answer

    def _decoded(self, text: bytes) -> Any:
        return self.encoder.decode(text)  # type: ignore[union-attr]

    async def _read_list(self, count: int, *, disable_decoding: bool) -> list[Any] | None:
        if count < 0:
            return None
        self._depth += 1
        most = count if self._depth < ENTRY_DEPTH else min(count, MOST_TEXTS)
        found = [await self._read_response(disable_decoding=disable_decoding) for _ in range(most)]
        if most < count:
            rest = await self._skip(count - most)
            text = rest if disable_decoding else self._decoded(rest)
            found += [text, text]  # the name and the value of one more field
        self._depth -= 1
        return found

    async def _readline(self) -> bytes:
        if (line := self._line) is not None:
            self._line = None
            return line
        while (end := self._buffer.find(b"\r\n", self._pos)) < 0:
            await self._fill()
        line = self._buffer[self._pos : end]
        self._pos = end + 2
        return line

    async def _read(self, length: int) -> Any:
        if length < 0:
            return None
        if length > (LONGEST_TEXT if self._taken < MOST_BYTES else BEGINNING):
            return await self._cut(length)
        while len(self._buffer) - self._pos < length + 2:
            await self._fill()
        text = self._buffer[self._pos : self._pos + length]
        self._pos += length + 2
        self._taken += length
        return text

    async def _cut(self, length: int) -> Cut:
        digest, beginning, left = hashlib.sha256(), b"", length
        while left:
            if self._pos == len(self._buffer):
                await self._fill()
            some = self._buffer[self._pos : self._pos + left]
            digest.update(some)
            beginning = beginning or some[:BEGINNING]
            self._pos += len(some)
            left -= len(some)
        while len(self._buffer) - self._pos < len(b"\r\n"):
            await self._fill()
        self._pos += 2
        self._taken += BEGINNING
        return Cut.of(beginning, size=length, sha256=digest.hexdigest())

    async def _skip(self, count: int) -> Cut:
        """Read *count* texts through; what is hashed is what came, with the length of each before it."""
        digest, size, left = hashlib.sha256(), 0, count
        start = self._pos
        while left:
            buffer, at = self._buffer, self._pos
            end = buffer.find(b"\r\n", at)
            length = int(buffer[at + 1 : end]) if end >= 0 and buffer[at] == _DOLLAR else None
            if length is not None and len(buffer) >= end + length + 4:
                self._pos, size, left = end + length + 4, size + length, left - 1
                continue
            digest.update(buffer[start:at])
            if length is not None and length > _CHUNK:  # the only one that would not fit soon
                self._pos = end + 2
                cut = await self._cut(length)
                digest.update(cut)
                start, size, left = self._pos, size + length, left - 1
                continue
            await self._fill()
            start = self._pos
        digest.update(self._buffer[start : self._pos])
        return Cut.of(b"", size=size, sha256=digest.hexdigest(), texts=count)

    async def _fill(self) -> None:
        if self._stream is None:
            raise RedisUnreachable(_CLOSED)
        some = await self._stream.read(_CHUNK)
        if not some:
            raise RedisUnreachable(_CLOSED)
        self._buffer, self._pos = self._buffer[self._pos :] + some, 0
