"""Reads what Redis says of the caches it holds: the token of the write that each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Mark(msgspec.Struct, frozen=True):
    fence: int


def tokens_in(marks: Mapping[str, str]) -> dict[str, int]:
    """The token of each cache in *marks*, the fields of `maintenance:caches`; what cannot be read says nothing."""
    return {name: token for name, mark in marks.items() if (token := _token(mark)) is not None}


def _token(mark: str) -> int | None:
    try:
        return msgspec.json.decode(mark, type=_Mark).fence
    except (msgspec.DecodeError, UnicodeError):
        return None
