"""Reads a file that a person or a run has written for us, up to a bound: a device or a wrong name has no end."""

from pathlib import Path

MOST_BYTES = 1 << 20


class FileTooLarge(ValueError):
    """The file cannot be the one that is meant."""


def read_small(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """Return what *path* holds. Raises FileTooLarge, or OSError."""
    with path.open("rb") as file:
        body = file.read(most + 1)
    if len(body) > most:
        raise FileTooLarge(f"is longer than {most} bytes: name another file")
    return body
