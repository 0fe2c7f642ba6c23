"""Sees to dead letters: sends them again or drops them, under the name of who decided.

A part is never sent again as it was: its cycle has ended. What is sent asks for its task on its trading day, and the
plan of the new cycle finds what is missing. Sent twice, a letter is still one piece of work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle.messages import work_key
from consumer.delivery.entries import LEFT_OUT, Outgoing
from consumer.postgres import actions, dead_letters
from consumer.postgres.actions import Act, Action
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.states import LetterState
from contract import keys
from contract.messages import (
    TaskMessage,
    TaskName,
    UndecodableMessage,
    decode_session_changed,
    decode_task,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from consumer.cycle.stores import Stores
    from consumer.postgres.dead_letters import Selection
    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Connection, Pool

_PAGE = 1000
_NAMED = 20


class CannotReplay(Exception):
    """A letter would only come back; the text says what to change."""


class Resent(msgspec.Struct, frozen=True, kw_only=True):
    """A letter and the message that asks for its work again."""

    letter: KeptLetter
    fields: dict[str, str]


def message_again(letter: KeptLetter, changes: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that ask again for what *letter* wanted, with *changes*. Raises CannotReplay."""
    if LEFT_OUT in letter.fields:
        raise CannotReplay(
            f"letter {letter.dead_letter_id} is what is left of an entry larger than any message, and may say another "
            "thing than it did: send it anew with less, and drop the letter"
        )
    try:
        if letter.stream == keys.SESSIONS.name:
            fields = {**letter.fields, **changes}
            decode_session_changed(fields)
            return fields
        return _task_again(letter, changes)
    except UndecodableMessage as error:
        raise CannotReplay(f"letter {letter.dead_letter_id}: {error}; correct it with --set name=value") from error


def _task_again(letter: KeptLetter, changes: Mapping[str, str]) -> dict[str, str]:
    if letter.part is not None and letter.trading_day is not None and letter.task is not None:
        message = TaskMessage(task=TaskName(letter.task), trading_day=letter.trading_day)
        fields = encode(message) | dict(changes)
    else:
        fields = {name: value for name, value in letter.fields.items() if name != "attempt"} | dict(changes)
    message = decode_task(fields)
    if message.rule is None and message.cycle is None:
        fields["request"] = f"{_first_origin(letter)}dead-letter-{letter.dead_letter_id}"
        fields["requested_by"] = "dead-letters replay"
        fields.pop("via", None)  # by that way it was asked once: the replay is noted itself
    return fields


def _first_origin(letter: KeptLetter) -> str:
    """Begin the name with the id of the entry that a request without a day was made by: it means the day of then."""
    if "trading_day" in letter.fields or letter.stream != keys.TASKS.name:
        return ""
    return f"{letter.fields.get('request') or letter.entry_id}-"


async def resend(stores: Stores, selection: Selection, changes: Mapping[str, str], decision: Decision) -> list[Resent]:
    """Send the selected letters again and say so in the table. Raises CannotReplay before anything is sent.

    The letters are locked meanwhile: of two operators one finds nothing left to do. A crash after sending leaves them
    open, and what is then sent again is known under the same name.
    """
    redis = stores.redis
    async with stores.pool.acquire() as connection, connection.transaction():
        letters = await dead_letters.find_to_settle(connection, selection)
        resent = [Resent(letter=letter, fields=message_again(letter, changes)) for letter in letters]
        for one in resent:
            if one.letter.stream == keys.SESSIONS.name:
                fields: dict[Any, Any] = dict(one.fields)
                await redis.xadd(keys.SESSIONS.name, fields, maxlen=keys.SESSIONS.kept, approximate=True)
        tasks = [one.fields for one in resent if one.letter.stream == keys.TASKS.name]
        await stores.stream.enqueue([Outgoing(fields=fields, key=work_key(fields)) for fields in tasks])
        ids = [letter.dead_letter_id for letter in letters]
        causes = await dead_letters.settle(connection, ids, LetterState.REPLAYED, decision)
        await _note(connection, Act.REPLAY, letters, decision)
    await _tidy_up(redis, letters, causes)
    return resent


async def drop(pool: Pool, redis: Redis, selection: Selection, decision: Decision) -> list[KeptLetter]:
    """Settle the selected letters without sending them; they stay in the table with *reason*."""
    async with pool.acquire() as connection, connection.transaction():
        letters = await dead_letters.find_to_settle(connection, selection)
        ids = [letter.dead_letter_id for letter in letters]
        causes = await dead_letters.settle(connection, ids, LetterState.DROPPED, decision)
        await _note(connection, Act.DROP, letters, decision)
    await _tidy_up(redis, letters, causes)
    return letters


async def _note(connection: Connection, act: Act, letters: Sequence[KeptLetter], decision: Decision) -> None:
    if not letters:
        return
    ids = ", ".join(str(letter.dead_letter_id) for letter in letters[:_NAMED])
    more = f" and {len(letters) - _NAMED} more" if len(letters) > _NAMED else ""
    days = {letter.trading_day for letter in letters}
    day = days.pop() if len(days) == 1 else None
    await actions.note(connection, Action(act=act, about=f"dead letter {ids}{more}", trading_day=day), decision)


async def _tidy_up(redis: Redis, letters: Sequence[KeptLetter], causes: set[tuple[str, str]]) -> None:
    """Remove the copies if Redis is there: the letters are settled, and nobody shall be told that they are not."""
    try:
        await _remove_copies(redis, letters, causes)
    except RedisError as error:
        logger.warning("copies_not_removed", letters=len(letters), reason=str(error))


async def _remove_copies(redis: Redis, letters: Sequence[KeptLetter], causes: set[tuple[str, str]]) -> None:
    """Take the settled letters out of maintenance:dead, so that its length is what is left to see to; and of the
    *causes* settled with them all others: their rows have given way to newer ones."""
    settled = {(letter.stream, letter.entry_id) for letter in letters}

    def is_settled(fields: dict[str, str]) -> bool:
        stream, cause = fields.get("stream", ""), dead_letters.fingerprint(fields.get("reason", ""))
        return (stream, fields.get("entry_id")) in settled or (stream, cause) in causes

    # From the newest back, each page before the last id of the one read: exclusive ranges are there since Redis 6.2.
    end = "+"
    while settled:
        page: Any = await redis.xrevrange(keys.DEAD.name, max=end, count=_PAGE)
        gone = [i for i, fields in page if is_settled(fields)]
        if gone:
            await redis.xdel(keys.DEAD.name, *gone)
        if len(page) < _PAGE:
            return
        end = f"({page[-1][0]}"
