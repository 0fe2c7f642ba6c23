"""Cuts what is too long down to its beginning, its size and its hash.

What anybody may write can be of any size; what is logged and kept of it is not. The hash tells whether two of them were
the same, and proves one that is found elsewhere.
"""

from __future__ import annotations

import hashlib
from typing import Self

from process.redaction import redacted

#: How much of a text that is too long stays readable.
BEGINNING = 200


class Cut(bytes):
    """The beginning of bytes that were too many to be taken in, with *size* and hash in words behind it.

    *texts*: of how many texts it stands, where a list was too long.
    """

    size: int
    texts: int

    @classmethod
    def of(cls, beginning: bytes, *, size: int, sha256: str, texts: int = 1) -> Self:
        """Return what is kept of *size* bytes."""
        many = f"{texts:,} more texts, " if texts > 1 else ""
        cut = cls(beginning + f"… ({many}{size:,} bytes, sha256 {sha256})".encode())
        cut.size, cut.texts = size, texts
        return cut


def shown(text: bytes) -> str:
    """Return what is kept of *text*, printable: all of a short one, and of one that says itself what was cut."""
    words = text.decode("utf-8", "backslashreplace")
    return printable(words) if type(text) is not bytes else shortened(words, BEGINNING)


def shortened(text: str, longest: int) -> str:
    """Return *text*, or of more than *longest* characters its printable beginning with size and hash."""
    if len(text) <= longest:
        return text
    whole = text.encode("utf-8", "backslashreplace")
    words = f"… ({len(whole):,} bytes, sha256 {hashlib.sha256(whole).hexdigest()})"
    # Half a secret is not known as one to whoever hides it later.
    return printable(redacted(text[: BEGINNING * 10])[:BEGINNING]) + words


def printable(text: str) -> str:
    """Return *text* with everything that does not print written as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
