"""Speaks to the task stream: every state change is one atomic Lua script.

A lost reply is harmless everywhere: repeating a script finds its work done. What is begun or settled at the same time
goes in one call, see `group_commit`: each entry is checked, written and answered for by itself. Needs Redis 6.2 (EVAL,
exclusive ranges of XPENDING); nothing here uses a newer command, so that every supported server behaves the same.
Texts are decoded here, not by the client: one byte that is no UTF-8, in an entry that anybody may write, must not stop
every reader.
"""

from __future__ import annotations

from collections import deque
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from loguru import logger
from redis.exceptions import NoScriptError, RedisError, ResponseError

from consumer.delivery.entries import (
    ADDED,
    ADDED_BYTES,
    MOST_BYTES,
    MOST_FIELDS,
    Claimed,
    CutShort,
    Delivery,
    Outgoing,
    entry_of,
    flatten,
)
from consumer.delivery.group_commit import GroupCommit
from contract import keys
from contract.reports import encode_dead_letter
from process.shortened import Cut

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from redis.asyncio import Redis

    from consumer.delivery.entries import Entry
    from consumer.delivery.settle import Ending
    from contract.reports import DeadLetter

T = TypeVar("T")

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
SCRIPT_KEYS = [
    keys.TASKS.name,
    keys.LATER.pattern,
    keys.LATER_MESSAGES.pattern,
    keys.QUEUED.pattern,
    keys.DEAD.name,
    keys.FENCE.pattern,
    keys.HEARD.pattern,
]
# No command may hold up the others for long, however much is sent, pending or ends at once (bench/delivery/pending.py).
AT_ONCE = 50
SENT_AT_ONCE = 500
LOOKED_AT = 1000
MOST_PROMOTED = 100
LOOKS_A_CLAIM = 10
TRIED_WHOLE = 2  # deliveries


def script_text(name: str) -> str:
    """Return the prelude and the named script as one text."""
    folder = files("consumer.delivery") / "scripts"
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


class TaskStream:
    """The task stream as one consumer of the group sees it.

    *commands* answers quickly; *blocking* is a client of its own whose socket timeout is longer than any BLOCK.
    """

    def __init__(self, commands: Redis, blocking: Redis, *, consumer: str, lease: dt.timedelta) -> None:
        self._blocking = blocking
        self._redis = commands
        self.consumer = consumer
        self.lease = lease
        self._scripts = {name: commands.register_script(script_text(name)) for name in SCRIPTS}
        self._begins = GroupCommit(self._begin_all, most=AT_ONCE)
        self._settlements = GroupCommit(self._settle_all, most=AT_ONCE)
        self._claimed_up_to: dict[str, str] = {}
        self._unbrought: deque[str] = deque(maxlen=LOOKED_AT)  # the last entries whose own reply did not come

    async def ensure_group(self) -> bool:
        """Create stream and group where they are missing, from 0: nothing written before is passed over.

        Returns whether they were missing.
        """
        try:
            await self._redis.xgroup_create(keys.TASKS.name, keys.GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" in str(error):
                return False
            raise
        return True

    async def read(self, count: int, *, block: dt.timedelta, stream: str = keys.TASKS.name) -> list[Entry]:
        """Return up to *count* new entries; waits at most *block* for the first."""
        milliseconds = max(1, int(block.total_seconds() * 1000))
        answer = await _execute(
            self._blocking,
            "XREADGROUP",
            "GROUP",
            keys.GROUP,
            self.consumer,
            "COUNT",
            count,
            "BLOCK",
            milliseconds,
            "STREAMS",
            stream,
            ">",
        )
        streams = answer.items() if isinstance(answer, dict) else answer or []
        taken = [
            await self._whole(entry_id.decode(), fields or {}, stream=stream)
            for _, entries in streams
            for entry_id, fields in entries
        ]
        return [entry for entry in taken if entry is not None]

    async def _whole(self, entry_id: str, fields: dict[bytes, bytes], *, stream: str) -> Entry | None:
        """The entry that was read; where its neighbours left no room for it in the reply, as it is read alone."""
        try:
            return entry_of(entry_id, fields)
        except CutShort:
            entry = await self._read_again(entry_id, 1, stream=stream)
        if entry is None:
            await self._redis.xack(stream, keys.GROUP, entry_id)
        return entry

    async def claim(self, count: int, *, stream: str = keys.TASKS.name) -> list[Entry]:
        """Take over up to *count* entries whose lease has run out."""
        return (await self.claim_apart(count, stream=stream, suspect_after=0, alone=False)).entries

    async def claim_apart(
        self, count: int, *, suspect_after: int, alone: bool, stream: str = keys.TASKS.name
    ) -> Claimed:
        """The same, without the suspects: entries that were handed out *suspect_after* times (0: none ever is one).

        Such a one may be taken *alone*, and is the only one then.
        """
        taken: list[Any] = []
        waits = False
        suspect = 0
        for _ in range(LOOKS_A_CLAIM):
            cursor = self._claimed_up_to.pop(stream, "-")
            rows, cursor, suspect = await self._run(
                "claim",
                self.consumer,
                self._lease_ms(),
                count - len(taken),
                cursor,
                LOOKED_AT,
                suspect_after,
                int(alone and not taken),
                stream=stream,
            )
            taken += rows
            waits = waits or suspect == 1
            if not cursor:
                break
            self._claimed_up_to[stream] = cursor
            if len(taken) >= count:
                break
        entries = await self._bring(taken, suspect=suspect == 2, stream=stream)
        return Claimed(entries=entries, suspect_waits=waits)

    async def _bring(self, taken: list[Any], *, suspect: bool, stream: str) -> list[Entry]:
        """The entries that were taken; a deleted one is forgotten.

        One that cannot be brought waits for its lease, counted, and those behind it are handed back for its sake.
        """
        entries: list[Entry] = []
        for number, (entry_id, holder, deliveries) in enumerate(taken, start=1):
            try:
                entry = await self._read_again(entry_id, deliveries, stream=stream)
            except RedisError:
                self._unbrought.append(entry_id)
                await self._hand_back(taken[number:], stream=stream)
                if entries:
                    break
                raise
            if entry is None:
                await self._redis.xack(stream, keys.GROUP, entry_id)
            else:
                entries.append(
                    msgspec.structs.replace(entry, taken_from=holder, suspect=suspect, deliveries=deliveries)
                )
        return entries

    async def _hand_back(self, taken: list[Any], *, stream: str) -> None:
        if taken:
            ids = [entry_id for entry_id, _, _ in taken]
            await self._run("hand_back", self.consumer, self._lease_ms(), *ids, stream=stream)

    async def _read_again(self, entry_id: str, deliveries: int, *, stream: str) -> Entry | None:
        try:
            found = await _execute(self._blocking, "XRANGE", stream, entry_id, entry_id)
            return entry_of(entry_id, found[0][1] or {}) if found else None
        except RedisError:
            if deliveries <= TRIED_WHOLE:
                raise
        if not (
            answer := await self._ask(
                "beginning", entry_id, MOST_FIELDS + len(ADDED), MOST_BYTES + ADDED_BYTES, stream=stream
            )
        ):
            return None
        beginnings, lengths, size, count = answer
        flat = [
            Cut.unread(text, size=of) if of > len(text) else text for text, of in zip(beginnings, lengths, strict=True)
        ]
        return entry_of(entry_id, dict(zip(flat[::2], flat[1::2], strict=True)), size=size, count=count)

    async def begin(self, entry: Entry, *, key: str = "") -> Delivery | None:
        """Issue the fence token, and renew the lease, if the entry is still ours; None when there is nothing to run.

        An entry whose work, named *key*, stands in the stream a second time is dropped in favour of that one.
        """
        row = await self._begins.ask(msgspec.json.encode((entry.entry_id, key)))
        if row == "DUPLICATE":
            logger.info("duplicate_entry_dropped", entry_id=entry.entry_id, key=key)
        return Delivery(entry=entry, token=row[0], deliveries=row[1]) if isinstance(row, list) else None

    async def _begin_all(self, entries: list[bytes]) -> list[Any]:
        return list(await self._run("begin", self.consumer, _array(entries)))

    async def settle(
        self,
        entry: Entry,
        ending: Ending,
        *,
        key: str,
        detail: object = None,
        successors: Iterable[Outgoing] = (),
    ) -> bool:
        """Write *ending* with what follows from it; False when somebody else holds the entry (nothing was written)."""
        following = [message.as_script_argument() for message in successors]
        reply = await self._settlements.ask(msgspec.json.encode((entry.entry_id, key, ending.value, detail, following)))
        return bool(reply == "OK")

    async def _settle_all(self, settlements: list[bytes]) -> list[Any]:
        kept = keys.DEAD.kept or 0
        return list(await self._run("settle", self.consumer, self._lease_ms(), kept, _array(settlements)))

    async def refuse(
        self, drops: Sequence[tuple[DeadLetter, bool, str]], *, stream: str = keys.TASKS.name, deleted: bool = True
    ) -> int:
        """Drop entries that this consumer holds, each with the copy of its letter where it is to have one, and the
        key that it may stand for; how many were still ours."""
        items = [
            (letter.entry_id, key, flatten(encode_dead_letter(letter)) if copied else False, deleted)
            for letter, copied, key in drops
        ]
        return int(await self._run("refuse", self.consumer, keys.DEAD.kept or 0, _json(items), stream=stream))

    async def enqueue(self, messages: Iterable[Outgoing]) -> int:
        """Send what is not under way already; return how many were new."""
        arguments = [message.as_script_argument() for message in messages]
        return sum([int(await self._run("enqueue", _json(some))) for some in _portions(arguments)])

    async def withdraw(self, work: Sequence[str]) -> int:
        """Take back the messages of the *work* with these keys, queued, held or due later; how many there were."""
        return sum([int(await self._run("withdraw", *some)) for some in _portions(work)])

    async def promote(self) -> int:
        """Move what has become due into the stream."""
        moved, *spoilt = await self._run("promote", MOST_PROMOTED)
        for key in spoilt:
            logger.error("parked_message_unreadable", key=key, runbook="dead-letters")
        return int(moved)

    async def raise_fence(self, floor: int) -> None:
        """Lift the fence counter to at least *floor*: the ledger has seen that token, so Redis lost some."""
        await self._run("raise_fence", floor)

    async def collect_consumers(self, *, idle: dt.timedelta) -> int:
        """Remove consumers that hold nothing and were silent for *idle*, from every stream that has the group."""
        milliseconds = int(idle.total_seconds() * 1000)
        streams = [stream.name for stream in keys.STREAMS if stream.group is not None]
        return sum([int(await self._run("collect", milliseconds, stream=name)) for name in streams])

    async def sweep(self) -> None:
        """Forget the identities of entries that somebody deleted, and send again what nobody would ever be given."""
        for what in ("queued", "later"):
            cursor = "0"
            while (cursor := await self._run("sweep", what, cursor)) != "0":
                pass
        await self.send_stranded()

    async def send_stranded(self) -> None:
        """Send entries again that stand in the stream and would never be given to anybody."""
        cursor, sent = "-", 0
        while cursor:
            cursor, some = await self._run("send_again", cursor)
            sent += some
        if sent:
            logger.warning("stranded_entries_sent_again", entries=sent)

    async def leave(self, *, stream: str = keys.TASKS.name) -> int:
        """Hand back, uncounted, what this consumer holds, or remove it when that is nothing; how many it held."""
        return int(await self._run("leave", self.consumer, self._lease_ms(), stream=stream))

    async def hand_back_unheard(self, *, known: Iterable[str]) -> int:
        """Hand back, uncounted, what this consumer holds beside *known*: it was given with a reply that never came."""
        return int(await self._run("unheard", self.consumer, self._lease_ms(), *known, *self._unbrought))

    def _lease_ms(self) -> int:
        return int(self.lease.total_seconds() * 1000)

    async def _run(self, name: str, *arguments: str | bytes | int, stream: str = keys.TASKS.name) -> Any:
        return readable(await self._ask(name, *arguments, stream=stream))

    async def _ask(self, name: str, *arguments: str | bytes | int, stream: str = keys.TASKS.name) -> Any:
        script = self._scripts[name]
        command = (len(SCRIPT_KEYS), stream, *SCRIPT_KEYS[1:], keys.GROUP, *arguments)
        try:
            return await _execute(self._redis, "EVALSHA", script.sha, *command)
        except NoScriptError:
            return await _execute(self._redis, "EVAL", script.script, *command)


async def _execute(client: Any, *command: object) -> Any:
    return await client.execute_command(*command, NEVER_DECODE=True)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[first : first + SENT_AT_ONCE] for first in range(0, len(items), SENT_AT_ONCE))


def _array(items: list[bytes]) -> bytes:
    """A JSON array of what is JSON already: an item that cannot be encoded is its caller's fault alone."""
    return b"[" + b",".join(items) + b"]"
