"""Reads what has been published on the session stream, and publishes the next transition atomically.

Every call may be repeated and may come from any number of producers: the script alone decides whether a
transition is new. The state key is written in that script; when it is lost, the stream's newest entry stands in.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum, auto
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ResponseError

from contract.announcements import session_changed
from contract.keys import SESSION_CHANGED, SESSION_PUBLISHED, SESSIONS
from contract.messages import SessionChanged, UndecodableMessage, decode_session_changed, encode

if TYPE_CHECKING:
    from redis.asyncio import Redis

# Clocks of machines under NTP differ by milliseconds; a look at Redis' clock takes a round trip.
CLOCK_TOLERANCE = dt.timedelta(seconds=2)
# Entries that people added by hand may stand on top of ours, and be of any size.
ENTRIES_LOOKED_AT = 100
ENTRIES_AT_ONCE = 10
# A hand-written entry or state further ahead than this would silence the producer until then.
FARTHEST_AHEAD = dt.timedelta(days=1)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_MOST_DIGITS = 18


class Outcome(Enum):
    PUBLISHED = auto()
    KNOWN = auto()  # by another producer, or by us before a lost reply
    EARLY = auto()  # Redis' clock has not reached it
    MOVED = auto()  # the state was lost and the stream has changed since the look


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the stream: what was published last (None: nothing known), by Redis' clock at that time."""

    latest_at: dt.datetime | None
    newest_entry_id: str
    redis_now: dt.datetime


class SessionStream:
    """The stream `market:session` as its producers see it; needs a client with decode_responses."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._publish = redis.register_script((files(__package__) / "publish.lua").read_text("utf-8"))

    async def look(self) -> Published:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(SESSION_PUBLISHED.pattern)
            pipe.time()
            state, time = await pipe.execute(raise_on_error=False)
        seconds, microseconds = _answer(time)
        redis_now = _EPOCH + dt.timedelta(seconds=seconds, microseconds=microseconds)
        if (latest_at := _published_at(state, redis_now)) is not None:
            return Published(latest_at=latest_at, newest_entry_id="", redis_now=redis_now)
        return await self._look_at_entries(redis_now)

    async def publish(self, message: SessionChanged, seen: Published, *, aloud: bool = False) -> Outcome:
        """Publish *message* unless it is known; *aloud*: say it on the neighbours' channel in the same step."""
        fields = [text for pair in encode(message).items() for text in pair]
        bounds = (CLOCK_TOLERANCE // _MILLISECOND, str(SESSIONS.kept))
        lost_state = (seen.newest_entry_id, 0 if seen.latest_at is None else _milliseconds(seen.latest_at))
        said = (SESSION_CHANGED.name, session_changed(message)) if aloud else ("", "")
        farthest_ahead = FARTHEST_AHEAD // _MILLISECOND
        answer = await self._publish(
            keys=[SESSIONS.name, SESSION_PUBLISHED.pattern],
            args=[_milliseconds(message.timestamp), *bounds, *lost_state, farthest_ahead, *said, *fields],
        )
        return Outcome[answer] if answer in Outcome.__members__ else Outcome.PUBLISHED

    async def _look_at_entries(self, redis_now: dt.datetime) -> Published:
        newest, latest_at, end = "", None, "+"
        for _ in range(0, ENTRIES_LOOKED_AT, ENTRIES_AT_ONCE):
            entries: Any = await self._redis.xrevrange(SESSIONS.name, max=end, count=ENTRIES_AT_ONCE)
            if not entries:
                break
            newest, end = newest or entries[0][0], f"({entries[-1][0]}"
            instants = (_instant(fields) for _, fields in entries)
            latest_at = next((at for at in instants if at is not None and at <= redis_now + FARTHEST_AHEAD), None)
            if latest_at is not None:
                break
        return Published(latest_at=latest_at, newest_entry_id=newest, redis_now=redis_now)


def _answer(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _published_at(state: Any, redis_now: dt.datetime) -> dt.datetime | None:
    """The instant that the state names; None where it is lost, or nothing that we have written."""
    if isinstance(state, ResponseError) and "WRONGTYPE" in str(state):
        return None
    text = _answer(state)
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    at_ms = int(text)
    return None if at_ms > _milliseconds(redis_now + FARTHEST_AHEAD) else _EPOCH + at_ms * _MILLISECOND


def _milliseconds(instant: dt.datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


def _instant(fields: dict[str, str]) -> dt.datetime | None:
    try:
        return decode_session_changed(fields).timestamp
    except UndecodableMessage:
        return None
