"""Puts single keys of a cache in place again, called as its writer is, and leaves all others as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from consumer.redis_cache.writer import CacheWriter


class CacheMender:
    """Of what is prepared it writes the keys of *only*, None: all of them.

    *writer* must not `begin`: what it puts in place belongs to the write that stands, whose fence it has, and a newer
    one puts an end to it (FenceLost).
    """

    def __init__(self, writer: CacheWriter, only: Collection[str] | None) -> None:
        self._writer = writer
        self._only = only

    def replace_strings(self, pattern: str, values: Mapping[str, str]) -> int:
        named = [
            (key, text) for symbol, text in values.items() if self._is_wanted(key := pattern.format(symbol=symbol))
        ]
        self._writer.put_strings(named)
        return len(named)

    def replace_hashes(self, pattern: str, values: Mapping[str, list[str]]) -> int:
        named = [
            (key, flat) for symbol, flat in values.items() if self._is_wanted(key := pattern.format(symbol=symbol))
        ]
        self._writer.put_hashes(named)
        return len(named)

    def replace_hash(self, key: str, flat: list[str]) -> int:
        return self._writer.replace_hash(key, flat) if self._is_wanted(key) else 0

    def replace_set(self, key: str, members: Iterable[str]) -> int:
        return self._writer.replace_set(key, members) if self._is_wanted(key) else 0

    def _is_wanted(self, key: str) -> bool:
        return self._only is None or key in self._only
