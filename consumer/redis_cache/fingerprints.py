"""Says by a fingerprint what a key of a cache holds, and which keys hold something else than was written.

A fingerprint is the type, how many, and a digest of it all: "hash 192 5f3a…". It stands beside the caches in Redis: to
see whether somebody wrote over a key costs a read of that key, and nothing of PostgreSQL. It proves nothing against who
wants to deceive; whoever finds a difference holds the key against the tables.
"""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ResponseError

from contract import keys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from redis import Redis

_LENGTHS = {"string": "strlen", "hash": "hlen", "set": "scard"}
_READS = {"string": "get", "hash": "hgetall", "set": "smembers"}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some keys of a cache: how many were looked at, which are not as written; *cursor* "0": those were the last."""

    cursor: str
    looked_at: int
    differing: tuple[str, ...]


def of_string(text: str) -> str:
    """The fingerprint of a string."""
    return _said("string", len(text.encode()), [text])


def of_hash(fields: Mapping[str, str]) -> str:
    """The fingerprint of a hash."""
    names = sorted(fields)
    return _said("hash", len(fields), [*names, *map(fields.__getitem__, names)])


def of_set(members: Iterable[str]) -> str:
    """The fingerprint of a set."""
    ordered = sorted(members)
    return _said("set", len(ordered), ordered)


def _said(kind: str, count: int, texts: Iterable[str]) -> str:
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()
    return f"{kind} {count} {digest}"


def look_at(redis: Redis, cache: str, cursor: str, *, about: int, content: bool = True) -> Page:
    """Look at *about* so many keys of *cache* from *cursor* on; without *content* only at their types and lengths."""
    following: Any
    written: Any
    following, written = redis.hscan(keys.FINGERPRINTS.pattern.format(cache=cache), int(cursor), count=about)
    commands = _READS if content else _LENGTHS
    with redis.pipeline(transaction=False) as pipe:
        for key, fingerprint in written.items():
            getattr(pipe, commands[fingerprint.partition(" ")[0]])(key)
        answers: list[Any] = pipe.execute(raise_on_error=False)
    now = _fingerprint if content else _length
    differing = tuple(
        key
        for (key, fingerprint), answer in zip(written.items(), answers, strict=True)
        if not fingerprint.startswith(now(fingerprint.partition(" ")[0], answer))
    )
    return Page(cursor=str(following), looked_at=len(written), differing=differing)


def look_at_lives(redis: Redis, cache: str, cursor: str, *, about: int, least: dt.timedelta | None) -> Page:
    """The same of keys that are gone, or live less than *least*, None: for ever. It costs next to nothing."""
    fingerprints = keys.FINGERPRINTS.pattern.format(cache=cache)
    least_ms = -1 if least is None else max(0, int(least.total_seconds() * 1000))
    following, looked_at, differing = redis.eval(_lives(), 1, fingerprints, cursor, about, least_ms)
    return Page(cursor=str(following), looked_at=looked_at, differing=tuple(differing))


@functools.cache
def _lives() -> str:
    return (files("consumer.redis_cache") / "lives.lua").read_text("utf-8")


def _fingerprint(kind: str, answer: Any) -> str:
    """What *answer*, of a key that was written as *kind*, shows; of another type, or gone, nothing that was written."""
    if isinstance(answer, ResponseError):
        return "another type"
    if isinstance(answer, Exception):
        raise answer
    if answer is None:
        return "gone"
    match kind:
        case "string":
            return of_string(answer)
        case "hash":
            return of_hash(answer)
        case _:
            return of_set(answer)


def _length(kind: str, answer: Any) -> str:
    if isinstance(answer, ResponseError):
        return "another type"
    if isinstance(answer, Exception):
        raise answer
    return f"{kind} {answer} "
