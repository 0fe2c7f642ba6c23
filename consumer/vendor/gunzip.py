"""Unpacks gzip piece by piece, so that whoever takes the pieces can stop at a bound.

A gzip may have several members; what follows the last and is none, or a last one that does not come to its end, is an
error: both leave out data without a word where only the first member is read.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from consumer.vendor.errors import AnswerTooLarge, BadAnswer, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 64 << 10
MOST_MEMBERS = 64  # of an answer: thousands of empty ones would cost more than they carry


class Gunzip:
    """Unpacks gzip, also of several members, in pieces that stay small whatever they unpack to."""

    def __init__(self, path: str, *, piece: int = PIECE_BYTES, most_members: int = MOST_MEMBERS) -> None:
        self._path = path
        self._most_members = most_members
        self._piece = piece
        self._members = 0
        self._inflate: zlib._Decompress | None = None

    def fed(self, chunk: bytes) -> Iterator[bytes]:
        """What *chunk* unpacks to; to be taken before the next one is fed."""
        left, piece = chunk, b""
        # A full piece may have more behind it though no byte is left to feed.
        while left or len(piece) == self._piece:
            if self._inflate is None:
                if not left:
                    return
                self._inflate = self._next_member()
            try:
                piece = self._inflate.decompress(left, self._piece)
            except zlib.error as error:
                after = "holds something else after its gzip" if self._members > 1 else "is not the gzip that it says"
                raise BadAnswer(f"{self._path} {after}: {str(error)[:80]}") from error
            left = self._inflate.unconsumed_tail
            if self._inflate.eof:
                left, self._inflate = self._inflate.unused_data, None
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise where more should have come."""
        if self._inflate is not None:
            raise ProviderUnavailable(f"{self._path} broke off: its gzip does not come to its end")

    def _next_member(self) -> zlib._Decompress:
        self._members += 1
        if self._members > self._most_members:
            raise AnswerTooLarge(f"{self._path} is a gzip of more than {self._most_members} members")
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
