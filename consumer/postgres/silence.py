"""Notices sessions that have stopped answering, and closes them, so that their work is done on new ones.

A statement may take minutes, so no deadline tells a long one from a dead connection. The server can: asked over another
connection, it knows whether that session works, or waits for us as we wait for it. Packets that are dropped, a proxy
that swallows them, a backend that was stopped: each looks like that. Where the server does not answer the question
either, it is away. A backend frozen amid a statement says that it works until LONGEST_STATEMENT_MS are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from enum import Enum
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from loguru import logger

from consumer.postgres.abandoned import end_frozen_holders, end_given_up
from consumer.postgres.session import LONGEST_STATEMENT_MS, longest_lock_wait_s

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Mapping

    from consumer.postgres.session import Session

LOOK_EVERY_S = 2.0
ASK_AFTER_S = 5.0
TOLD_WITHIN_S = 2.5  # what the server says of a session, with the connection to ask it
AWAY_AFTER_S = 8.0  # no answer from the session, and none from the server about it
SLOW_AFTER_S = 15.0
FROZEN_AFTER_S = LONGEST_STATEMENT_MS / 1000 + 10.0  # the server itself would have ended it
TELL_SLOW_EVERY_S = 60.0

_STANDING = "SELECT pid, state, wait_event_type, query FROM pg_stat_activity WHERE pid = ANY ($1)"


class Activity(Enum):
    """What the server says of a session that we wait for."""

    WAITS_FOR_US = "the server waits for us, as we wait for it"
    UNKNOWN = "the server does not know this session (any more)"
    AT_WORK = "the server works on it"
    NOT_SAID = "the server does not answer"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that were closed because they did not answer."""

    sessions: int
    longest_s: float
    reason: str


def activity_of(row: Mapping[str, Any] | asyncpg.Record | None) -> Activity:
    """Judge what pg_stat_activity has of a session; None: it has nothing."""
    if row is None:
        return Activity.UNKNOWN
    waits = str(row["state"]).startswith("idle") or row["wait_event_type"] == "Client"
    return Activity.WAITS_FOR_US if waits else Activity.AT_WORK


def pace_of(lease: dt.timedelta) -> tuple[float, float]:
    """Seconds between two looks, and of silence before the server is asked.

    Whoever waits for a lock is seen waiting before its time is over, or a frozen holder would never be found out.
    """
    ask_after_s = min(ASK_AFTER_S, longest_lock_wait_s(lease) / 2)
    return min(LOOK_EVERY_S, ask_after_s / 2), ask_after_s


class SilenceWatch:
    """Looks after the sessions of one pool."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        lease: dt.timedelta,
        on_silence: Callable[[Silence], Awaitable[None]] | None = None,
    ) -> None:
        self._connect = connect
        self._lease = lease
        self._look_every_s, self._ask_after_s = pace_of(lease)
        self._on_silence = on_silence
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._suspected: weakref.WeakKeyDictionary[Session, float] = weakref.WeakKeyDictionary()
        self._unanswered: weakref.WeakKeyDictionary[Session, float] = weakref.WeakKeyDictionary()
        self._asking: Session | None = None
        self._slow_told_at = float("-inf")

    def add(self, session: Session) -> None:
        self._sessions.add(session)

    async def run(self, expire: Callable[[], Awaitable[None]]) -> None:
        """Look until cancelled; *expire* has the pool open new sessions for its idle ones, which may be as silent."""
        try:
            while True:
                await asyncio.sleep(self._look_every_s)
                if (silence := await self.look()) is not None:
                    await expire()
                    if self._on_silence is not None:
                        await self._on_silence(silence)
        finally:
            self._hang_up()

    async def look(self) -> Silence | None:
        """Close the sessions that are silent; say what was closed."""
        now = asyncio.get_running_loop().time()
        waiting = {
            one: since for one in self._sessions if (since := one.silent_since) is not None and not one.is_closed()
        }
        waiting = {one: since for one, since in waiting.items() if now - since >= self._ask_after_s}
        if not waiting:
            self._hang_up()
            return None
        closed = self._close_silent(waiting, await self._ask(list(waiting)))
        if not closed:
            return None
        if self._asking is not None:
            await self._end_on_the_server(self._asking, [backend for _, _, backend in closed])
        longest_s, activity, _ = max(closed, key=lambda one: one[0])
        logger.warning(
            "postgres_sessions_silent",
            sessions=len(closed),
            waited_s=round(longest_s, 1),
            reason=activity.value,
            runbook="postgres-silent",
        )
        return Silence(sessions=len(closed), longest_s=longest_s, reason=activity.value)

    def _close_silent(
        self, waiting: Mapping[Session, float], activities: Mapping[Session, Activity]
    ) -> list[tuple[float, Activity, int]]:
        """Close those that are silent; return how long each was waited for, its activity, and its backend."""
        now = asyncio.get_running_loop().time()
        closed = []
        for session, since in waiting.items():
            if session.silent_since != since:
                continue  # it has got its answer meanwhile, or a part of it
            if self._is_silent(session, since, activities[session], waited_s=now - since):
                closed.append((now - since, activities[session], session.backend))
                session.give_up(activities[session].value)
        return closed

    def _is_silent(self, session: Session, since: float, activity: Activity, *, waited_s: float) -> bool:
        match activity:
            case Activity.NOT_SAID:
                # Twice as well: a loop that was held up, or a slow answer to one question, is nobody's absence.
                before = self._unanswered.get(session)
                self._unanswered[session] = since
                return before == since and waited_s >= AWAY_AFTER_S
            case Activity.AT_WORK:
                self._tell_slow(waited_s)
                return waited_s >= FROZEN_AFTER_S and not session.patient
        # Twice in a row: the answer may have been on its way when the server was asked.
        before = self._suspected.get(session)
        self._suspected[session] = since
        return before == since

    def _tell_slow(self, waited_s: float) -> None:
        now = asyncio.get_running_loop().time()
        if waited_s >= SLOW_AFTER_S and now - self._slow_told_at >= TELL_SLOW_EVERY_S:
            self._slow_told_at = now
            logger.warning("postgres_statement_slow", waited_s=round(waited_s, 1), runbook="postgres-silent")

    async def _ask(self, waiting: list[Session]) -> dict[Session, Activity]:
        try:
            async with asyncio.timeout(TOLD_WITHIN_S):
                if self._asking is None or self._asking.is_closed():
                    self._asking = await self._connect()
                rows = await self._asking.fetch(_STANDING, [one.backend for one in waiting])
                if locked := [row["pid"] for row in rows if row["wait_event_type"] == "Lock"]:
                    await end_frozen_holders(self._asking, locked, self._lease)
        except asyncpg.PostgresError as error:
            # It answers, if only that it has no session free for this; unless it is coming up or going down.
            self._hang_up()
            away = isinstance(error, (asyncpg.CannotConnectNowError, asyncpg.OperatorInterventionError))
            return dict.fromkeys(waiting, Activity.NOT_SAID if away else Activity.AT_WORK)
        except Exception:  # noqa: BLE001  # whatever keeps the server from answering is what we ask about
            self._hang_up()
            return dict.fromkeys(waiting, Activity.NOT_SAID)
        found = {row["pid"]: row for row in rows}
        return {one: activity_of(found.get(one.backend)) for one in waiting}

    async def _end_on_the_server(self, asking: Session, backends: list[int]) -> None:
        try:
            async with asyncio.timeout(TOLD_WITHIN_S):
                await end_given_up(asking, backends)
        except Exception:  # noqa: BLE001  # it has just answered; if it does no longer, the next look says so
            self._hang_up()

    def _hang_up(self) -> None:
        if self._asking is not None:
            with contextlib.suppress(Exception):
                self._asking.terminate()
            self._asking = None
