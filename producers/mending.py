"""Sees that our streams take entries and hand them out, and our keys hold what they should; mends what does not.

An id from the far future, or a value of another type under a key's name, would refuse every write for ever. Both are
a person's hand. How a stream is mended, and what it keeps, is in mend.lua; another type is put aside: it may be
somebody else's, and all that Redis holds of ours is made again from the ledger. Whoever meets the fault may mend it, in
one step and as often as it likes.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.exceptions import ResponseError

from contract.keys import GROUP, KEYS, MENDING, QUEUED, SET_ASIDE, SOURCE, STREAMS, TASKS, RedisType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis.asyncio import Redis

    from contract.keys import Stream

# Clocks are wrong by hours at most; an id further ahead than this was written by hand.
FARTHEST_AHEAD = dt.timedelta(days=1)

#: Keys with a fixed name and their type. Not the stamp: whose data a Redis holds is judged by `consumer.source`.
TYPES = {
    key.pattern: key.holds
    for key in KEYS
    if "{" not in key.pattern and key.holds is not RedisType.ANY and key is not SOURCE
}
_ASIDE = SET_ASIDE.pattern.format(key="")


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A key of ours that refuses what is written to it, or hands nothing out, and why."""

    key: str
    what: str

    @property
    def words(self) -> str:
        return f"{self.key}: {self.what}"


async def look_for_trouble(redis: Redis, types: Mapping[str, RedisType] = TYPES) -> list[Trouble]:
    """Return what is wrong with streams and keys, and write nothing. Raises RedisError."""
    return [*await _ask_streams(redis, STREAMS, "look"), *await _ask_types(redis, types, "look")]


async def mend(redis: Redis, types: Mapping[str, RedisType] = TYPES) -> list[Trouble]:
    """Mend and tell what is wrong with streams and keys; what was mended is returned. Raises RedisError."""
    streams = await mend_streams(redis)
    mended = await _ask_types(redis, types, "mend")
    for one in mended:
        logger.warning("key_mended", key=one.key, what=one.what, runbook="spoilt-by-hand")
    return [*streams, *mended]


async def mend_streams(redis: Redis, streams: Iterable[Stream] = STREAMS) -> list[Trouble]:
    """The same for streams only."""
    mended = await _ask_streams(redis, streams, "mend")
    for one in mended:
        logger.warning("stream_mended", stream=one.key, what=one.what, runbook="spoilt-by-hand")
    return mended


async def _ask_streams(redis: Redis, streams: Iterable[Stream], how: str) -> list[Trouble]:
    script = redis.register_script(_script("mend.lua"))
    found = []
    for stream in streams:
        if await _is_fit(redis, stream.name):
            continue
        # Identities belong to the task stream alone: the ids of two streams may be the same.
        queued = QUEUED.pattern if stream is TASKS else ""
        names = [stream.name, MENDING.pattern.format(stream=stream.name), queued, f"{_ASIDE}{stream.name}"]
        answer: Any = await script(keys=names, args=[_ms(FARTHEST_AHEAD), how, GROUP, _ms(SET_ASIDE.ttl)])
        found += [Trouble(key=stream.name, what=what) for what in answer]
    return found


async def _is_fit(redis: Redis, name: str) -> bool:
    """Whether the server's own words leave no doubt. The script hears the same, and with it the first and the last
    entry: where those are giants, to hand them to a script stops the server for seconds."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.xinfo_stream(name)
    pipeline.xinfo_groups(name)
    pipeline.time()
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    info, groups, time = answers
    if isinstance(time, Exception):
        raise time
    if isinstance(info, ResponseError) or isinstance(groups, ResponseError):
        return "no such key" in str(info)
    last = _comparable(info["last-generated-id"])
    ours = [_comparable(group["last-delivered-id"]) for group in groups if group["name"] == GROUP]
    return last[0] <= time[0] * 1000 + _ms(FARTHEST_AHEAD) and all(one <= last for one in ours)


def _comparable(entry_id: str | bytes) -> tuple[int, int]:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence)


async def _ask_types(redis: Redis, types: Mapping[str, RedisType], how: str) -> list[Trouble]:
    script = redis.register_script(_script("retype.lua"))
    kinds = [kind.value for kind in types.values()]
    answer: Any = await script(keys=list(types), args=[how, _ms(SET_ASIDE.ttl), _ASIDE, *kinds])
    pairs = zip(answer[::2], answer[1::2], strict=True)
    return [Trouble(key=key, what=f"a {kind} stands under its name, not a {types[key]}") for key, kind in pairs]


def _ms(duration: dt.timedelta | None) -> int:
    return 0 if duration is None else duration // dt.timedelta(milliseconds=1)


@cache
def _script(name: str) -> str:
    return (files("producers") / name).read_text("utf-8")
