"""Calls the Lua scripts, one typed function each: its signature says what the script takes and gives.

KEYS are those of the channel, in the order of `Channel.keys`; a function with *stream* puts that one first. ARGV[1] is
the group, the rest as each function says. Every script is one atomic change, and harmless to repeat when its reply was
lost: it finds its work done. Raises RedisError. Texts are decoded here, not by the client: one byte that is no UTF-8,
in an entry that anybody may write, must not stop every reader.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import NoScriptError, ResponseError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    import redis
    import redis.asyncio

    from consumer.delivery.channel import Channel

SCRIPTS = (
    "enqueue",
    "promote",
    "claim",
    "begin",
    "beat",
    "settle",
    "raise_fence",
    "leave",
    "unheard",
    "collect",
    "sweep",
    "withdraw",
    "send_again",
    "refuse",
    "beginning",
    "hand_back",
)


@cache
def script_text(name: str) -> str:
    """Return the prelude and the named script as one text."""
    folder = files(__package__) / "scripts"
    return (folder / "prelude.lua").read_text("utf-8") + (folder / f"{name}.lua").read_text("utf-8")


def readable(answer: Any) -> Any:
    """Return *answer* with its bytes as text; a byte that is no UTF-8 stays visible as \\xNN."""
    match answer:
        case bytes():
            return answer.decode("utf-8", "backslashreplace")
        case dict():
            return {readable(name): readable(value) for name, value in answer.items()}
        case list() | tuple():
            return [readable(item) for item in answer]
        case _:
            return answer


async def execute(client: Any, *command: object) -> Any:
    """Send one command; its reply stays bytes."""
    return await client.execute_command(*command, NEVER_DECODE=True)


class Suspects(Enum):
    """Whether entries that may kill their consumer were met while claiming."""

    NONE = 0
    ONE_WAITS = 1  # it has to run alone, and could not be taken now
    ONE_TAKEN = 2  # then it is the only one


class ClaimLook(msgspec.Struct, frozen=True, kw_only=True):
    """One look for leases that have run out: at *looked_at* entries from *cursor* on, taking *limit* at most.

    *suspect_after*: deliveries that make an entry a suspect, 0 = never; *alone*: whether one may be taken.
    """

    limit: int
    cursor: str
    looked_at: int
    suspect_after: int
    alone: bool


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """The beginnings of an entry's texts, how long each of them is, and the bytes and fields of the whole."""

    texts: list[bytes]
    lengths: list[int]
    size: int
    count: int


class Scripts:
    """The scripts, as one consumer of *channel* calls them."""

    def __init__(self, client: redis.asyncio.Redis, channel: Channel, *, consumer: str, lease: dt.timedelta) -> None:
        self._redis = client
        self._channel = channel
        self._consumer = consumer
        self._lease_ms = int(lease.total_seconds() * 1000)
        self._texts = {name: script_text(name) for name in SCRIPTS}
        self._shas = {name: _sha(text) for name, text in self._texts.items()}

    async def enqueue(self, messages: Sequence[dict[str, object]]) -> int:
        """Send *messages* (JSON) that are not under way; how many were new."""
        return int(await self._run("enqueue", _json(messages)))

    async def promote(self, most: int) -> tuple[int, list[str]]:
        """Move up to *most* that are due into the stream; how many were, and the keys of those nobody can read."""
        moved, *spoilt = await self._run("promote", most)
        return int(moved), spoilt

    async def claim(self, look: ClaimLook, *, stream: str) -> tuple[list[tuple[str, str, int]], str, Suspects]:
        """Take over what has run out: (entry, previous holder, deliveries) of each, the next cursor, and suspects."""
        rows, cursor, suspects = await self._run(
            "claim",
            self._consumer,
            self._lease_ms,
            look.limit,
            look.cursor,
            look.looked_at,
            look.suspect_after,
            int(look.alone),
            stream=stream,
        )
        return [(entry_id, holder, int(count)) for entry_id, holder, count in rows], cursor, Suspects(suspects)

    async def begin(self, items: Iterable[bytes]) -> list[Any]:
        """Begin *items*, each JSON [entry, key]: for each [token, deliveries], LOST, DUPLICATE or an error."""
        return list(await self._run("begin", self._consumer, _array(items)))

    async def settle(self, items: Iterable[bytes]) -> list[Any]:
        """End *items*, each JSON [entry, key, ending, detail, successors]; for each OK, LOST or an error."""
        return list(await self._run("settle", self._consumer, self._lease_ms, self._channel.dead_kept, _array(items)))

    async def refuse(self, items: Sequence[tuple[str, str, list[str] | bool, bool]], *, stream: str) -> int:
        """Drop *items*, each (entry, key, flat dead letter or False, whether it is deleted); how many were ours."""
        held = await self._run("refuse", self._consumer, self._channel.dead_kept, _json(items), stream=stream)
        return int(held)

    async def withdraw(self, keys: Sequence[str]) -> int:
        """Take back the messages of the work with these *keys*; how many there were."""
        return int(await self._run("withdraw", *keys))

    async def raise_fence(self, floor: int) -> None:
        """Lift the counter of tokens to at least *floor*."""
        await self._run("raise_fence", floor)

    async def collect(self, idle_ms: int, *, stream: str) -> int:
        """Remove consumers that hold nothing and were silent for longer; how many."""
        return int(await self._run("collect", idle_ms, stream=stream))

    async def sweep(self, what: str, cursor: str) -> str:
        """Forget, in the hash *what* (queued or later), identities without a message; the next cursor, 0 at the end."""
        return str(await self._run("sweep", what, cursor))

    async def send_again(self, cursor: str) -> tuple[str, int]:
        """Send stranded entries again from *cursor* on; the next cursor, empty at the end, and how many were sent."""
        following, sent = await self._run("send_again", cursor)
        return following, int(sent)

    async def leave(self, *, stream: str) -> int:
        """Hand back, uncounted, what this consumer holds, or remove it when that is nothing; how many it held."""
        return int(await self._run("leave", self._consumer, self._lease_ms, stream=stream))

    async def unheard(self, known: Iterable[str]) -> int:
        """Hand back, uncounted, what this consumer holds beside *known* entries; how many there were."""
        return int(await self._run("unheard", self._consumer, self._lease_ms, *known))

    async def hand_back(self, entries: Iterable[str], *, stream: str) -> None:
        """Hand back, uncounted, *entries* that this consumer was given and has not looked at."""
        await self._run("hand_back", self._consumer, self._lease_ms, *entries, stream=stream)

    async def beginning(self, entry_id: str, *, fields: int, size: int, stream: str) -> Beginning | None:
        """The whole of an entry of at most *fields* and *size* bytes, of a larger one the beginning; None: gone."""
        answer = await self._ask("beginning", entry_id, fields, size, stream=stream)
        return Beginning(texts=answer[0], lengths=answer[1], size=answer[2], count=answer[3]) if answer else None

    async def _run(self, name: str, *arguments: str | bytes | int, stream: str | None = None) -> Any:
        return readable(await self._ask(name, *arguments, stream=stream))

    async def _ask(self, name: str, *arguments: str | bytes | int, stream: str | None = None) -> Any:
        keys = (stream or self._channel.stream, *self._channel.keys[1:])
        command = (len(keys), *keys, self._channel.group, *arguments)
        try:
            return await execute(self._redis, "EVALSHA", self._shas[name], *command)
        except NoScriptError:  # a Redis that was restarted, or flushed, knows none of them
            return await execute(self._redis, "EVAL", self._texts[name], *command)


class Beat:
    """beat.lua, from the thread that keeps the leases of one consumer: *client* is a blocking one."""

    def __init__(self, client: redis.Redis, channel: Channel, *, consumer: str) -> None:
        self._script = client.register_script(script_text("beat"))
        self._channel = channel
        self._consumer = consumer

    def __call__(self, entries: Sequence[str]) -> list[str]:
        """Renew the leases of *entries*; those that are no longer this consumer's."""
        lost: Any = self._script(keys=self._channel.keys, args=[self._channel.group, self._consumer, *entries])
        return [str(readable(entry_id)) for entry_id in lost]


async def make_group(client: redis.asyncio.Redis, stream: str, group: str) -> bool:
    """Make *stream* and its *group*, from 0: nothing written before is passed over. Whether they were missing."""
    try:
        await client.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" in str(error):
            return False
        raise
    return True


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _array(items: Iterable[bytes]) -> bytes:
    """A JSON array of what is JSON already: an item that cannot be encoded is its caller's fault alone."""
    return b"[" + b",".join(items) + b"]"
