"""Says what a place of files has to do: give a file's end, and put a file so that readers see all of it or nothing.

PlaceError
├── PlaceAway      it does not answer: worth another try later
├── PlaceRefused   it cannot be used as it is; the text names the cure
├── PlaceUnmeant   what was typed names none
└── Spoilt         what was read back is not what was written
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class PlaceError(Exception):
    """The place of the files is in trouble; the text is for a person."""


class PlaceAway(PlaceError):
    """It does not answer."""


class PlaceRefused(PlaceError):
    """It cannot be used as it is."""


class PlaceUnmeant(PlaceError):
    """What was typed names no place."""


class Spoilt(PlaceError):
    """What was read back is not what was written."""


class Place(Protocol):
    """Where files are. Every method raises PlaceError."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    async def open(self, folders: Iterable[str]) -> None:
        """See that it can be used, and take away what a killed run has left unfinished in *folders*."""

    async def close(self) -> None:
        """Let others use it."""

    async def tail(self, key: str, size: int) -> bytes | None:
        """The last *size* bytes of a file, all where it has fewer; None where it is not there."""

    async def put(self, key: str, body: bytes, check: Callable[[bytes], None]) -> None:
        """Put *body* in the place of *key*, once *check* has passed what was read back."""
