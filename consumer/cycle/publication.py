"""Publishes verdicts: the table for SQL readers, `maintenance:last_run` and `last_final`, and the days' status keys.

Everything published is derived from the ledger and can be written again at any time. Publishers take turns: the lock is
taken before the ledger is read, so that of two the later one has read the later ledger, and nothing is taken back.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from consumer.cycle.day_report import Runs, data_set_reports, day_status
from consumer.cycle.run_report import read_run
from consumer.postgres import cycles, session_conditions
from consumer.postgres import missed_deadlines as deadlines_kept
from consumer.postgres.holdings_reader import read_version
from consumer.postgres.missed_deadlines import Noted
from consumer.postgres.session_conditions import SessionCondition
from consumer.verdict import words
from consumer.verdict.deadlines import has_come, missed_deadlines
from consumer.verdict.reading import Judged, judge_sessions, judge_window, window
from contract import keys
from contract.messages import ALL_TASKS, UndecodableMessage
from contract.reports import DayStatus, SessionState, decode_status, encode_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

    from consumer.alerts.noting import Alerts
    from consumer.postgres.pool import Connection, Pool
    from consumer.verdict.ruler import Expectations
    from consumer.verdict.states import SessionVerdict

#: What no load tells, such as a row that somebody deleted, is noticed after this long.
JUDGED_ANEW_AFTER = dt.timedelta(minutes=5)
_EVERY_TASK = [task.value for task in ALL_TASKS]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose verdict is another one than was published before."""

    trading_day: dt.date
    before: str | None
    after: str
    summary: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication has said: the verdicts, and what of them, and of missed deadlines, was new."""

    judged: Judged
    changes: tuple[Change, ...]
    noted: Noted = Noted()


class _OfDay(msgspec.Struct, frozen=True, kw_only=True):
    """How a process judged *day* last, and what stood in the table then."""

    day: dt.date
    judged: Judged
    stored: SessionCondition | None


class Publisher:
    """Judges and publishes, for one process."""

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        expectations: Expectations,
        *,
        now: Callable[[], dt.datetime],
        alerts: Alerts | None = None,
    ) -> None:
        self._pool = pool
        self._alerts = alerts
        self._redis = redis
        self._expectations = expectations
        self._now = now
        self.known: Judged | None = None
        self._looked_at: dt.datetime | None = None  # when this process last looked for sessions that were touched
        self._of_day: _OfDay | None = None

    async def publish(self, *also: dt.date, wait: bool) -> Published:
        """Judge every session of the window anew, those that a backfill has touched and *also*; tell what is new.

        Raises asyncpg.LockNotAvailableError where somebody else is at it: at once, or with *wait* after the timeout.
        """
        async with self._turn(wait=wait) as connection:
            now = self._now()
            first = window(self._expectations, now)[0]
            touched = await session_conditions.touched_before(connection, first, looked_at=self._looked_at)
            judged = await judge_window(connection, self._expectations, now=now, also=[*touched, *also])
            days = list(judged.verdicts)
            before = await session_conditions.read_conditions(connection, days)
            rows = {day: _row(judged, day, before.get(day)) for day in days}
            new = [day for day in days if not _is_same(rows[day], before.get(day))]
            await session_conditions.store_conditions(connection, [rows[day] for day in {*new, *touched}])
            noted = await self._note(connection, judged)
            # Also what Redis shows: it may have been emptied, restored from an older copy, or written to by hand.
            shown: Any = await self._redis.mget([keys.status_key(day) for day in days])
            texts = dict(zip(days, shown, strict=True))
            wrong = [day for day, text in texts.items() if text and not _tells(text, judged.verdicts[day])]
            for day in {*new, *also, *wrong, judged.ruler.front}:
                await self._write_day(connection, judged, rows[day])
            await self._write_last(judged)
        self.known, self._looked_at = judged, now
        return Published(judged=judged, changes=tuple(_changes([rows[day] for day in new], before)), noted=noted)

    async def _note(self, connection: Connection, judged: Judged) -> Noted:
        """Store which deadlines of the window are missed, and what is to be told of that outside.

        Not by who tells nobody: what he stored would be news to no other.
        """
        if self._alerts is None:
            return Noted()
        days = [day for day in window(self._expectations, judged.ruler.now) if day in judged.verdicts]
        verdicts = {day: judged.verdicts[day] for day in days}
        came = functools.partial(has_come, verdicts)
        noted = await deadlines_kept.note(connection, missed_deadlines(verdicts.values()), came, now=judged.ruler.now)
        await self._alerts.note(connection, judged, noted)
        return noted

    async def publish_day(self, day: dt.date, *, anew: bool) -> tuple[Change, ...]:
        """Write one day's status, with what its cycle has done since, and tell what is new; *anew*: judge it again.

        Otherwise it is as this process judged it last: to count a market's rows a few times a second is too much. Once
        somebody else has stored another verdict it is judged again, since theirs is newer and must not be taken back;
        that is stored only where the state is another one, or two processes would make each other judge for ever.
        """
        async with self._turn(wait=False) as connection:
            stored = (await session_conditions.read_conditions(connection, [day])).get(day)
            last = self._of_day
            if anew or last is None or (last.day, last.stored) != (day, stored):
                judged = await judge_sessions(connection, self._expectations, now=self._now(), days=[day])
            else:
                judged = last.judged
            row = _row(judged, day, stored)
            await self._write_day(connection, judged, row)
            changes = _changes([row], {} if stored is None else {day: stored})
            if stored is None or row.state != stored.state or (anew and not _is_same(row, stored)):
                await session_conditions.store_conditions(connection, [row])
                stored = row
        self._of_day = _OfDay(day=day, judged=judged, stored=stored)
        return tuple(changes)

    async def refresh(self) -> Published | None:
        """Publish again if the ledger, the hour or Redis ask for it; None where all stands as it was said."""
        known = self.known
        if known is not None and not await self._is_outdated(known):
            return None
        try:
            return await self.publish(wait=False)
        except asyncpg.LockNotAvailableError:
            return None  # somebody else is publishing just now; the next look sees what that has left

    async def _is_outdated(self, known: Judged) -> bool:
        if known.next_change_at is not None and self._now() >= known.next_change_at:
            return True
        if self._now() >= known.ruler.now + JUDGED_ANEW_AFTER:
            return True
        if window(self._expectations, self._now())[-1] not in known.verdicts:
            return True
        if await read_version(self._pool) != known.holdings.version:
            return True
        shown: Any = await self._redis.mget(
            [keys.LAST_RUN.pattern, keys.LAST_FINAL.pattern, keys.status_key(known.ruler.front)]
        )
        named = [shown[0], shown[1]] == [_text(known.last_run), _text(known.last_final)]
        return not named or not _tells(shown[2], known.verdicts[known.ruler.front])

    @contextlib.asynccontextmanager
    async def _turn(self, *, wait: bool) -> AsyncIterator[Connection]:
        """Give a transaction that reads one instant, in which nobody else publishes.

        LOCK TABLE comes first because it takes no snapshot: the first SELECT after it does (PostgreSQL manual, LOCK).
        A publisher that freezes is ended by the server (idle_in_transaction_session_timeout) and frees its turn.
        """
        lock = "LOCK TABLE session_condition IN SHARE ROW EXCLUSIVE MODE"
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            await connection.execute(lock if wait else f"{lock} NOWAIT")
            yield connection

    async def _write_day(self, connection: Connection, judged: Judged, row: SessionCondition) -> None:
        verdict = judged.verdicts[row.trading_day]
        status = await read_day_status(connection, verdict, row.state_since, now=self._now())
        await self._redis.set(keys.status_key(row.trading_day), encode_status(status), ex=keys.STATUS_TTL)

    async def _write_last(self, judged: Judged) -> None:
        """Both name what they say and nothing else, also where what they named before is not so any more.

        In one step: nobody reads the one as it is and the other as it was.
        """
        both = self._redis.pipeline(transaction=True)
        for key, day in ((keys.LAST_RUN, judged.last_run), (keys.LAST_FINAL, judged.last_final)):
            if day is None:
                both.delete(key.pattern)
            else:
                both.set(key.pattern, day.isoformat())
        await both.execute()


async def read_day_status(
    connection: Connection, verdict: SessionVerdict, since: dt.datetime | None, *, now: dt.datetime
) -> DayStatus:
    """Return the report on the session of *verdict*, with what its newest cycles have done."""
    day = verdict.trading_day
    newest = await cycles.newest_of_day(connection, day)
    whole = await cycles.newest_of_day(connection, day, tasks=_EVERY_TASK)
    told = None if newest is None else await read_run(connection, newest, now=now)
    of_all = None if whole is None else told
    if whole is not None and newest is not None and whole.cycle_id != newest.cycle_id:
        of_all = await read_run(connection, whole, now=now)
    return day_status(verdict, since, Runs(whole=of_all, newest=told), now=now)


def _tells(text: str | None, verdict: SessionVerdict) -> bool:
    """Whether the day's key says what *verdict* does; not where somebody else has written into it."""
    try:
        return text is not None and decode_status(text).state == verdict.state
    except UndecodableMessage:
        return False


def _text(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _row(judged: Judged, day: dt.date, before: SessionCondition | None) -> SessionCondition:
    verdict = judged.verdicts[day]
    now = judged.ruler.now
    since = before.state_since if before is not None and before.state == verdict.state else now
    sets = {name: msgspec.to_builtins(one) for name, one in data_set_reports(verdict.data_sets).items()}
    return SessionCondition(
        trading_day=day,
        condition=verdict.condition.value,
        state=verdict.state.value,
        reason=words.sentence(verdict, since),
        state_since=since,
        last_modified_at=verdict.last_modified_at,
        judged_at=now,
        data_sets=sets,
    )


def _is_same(row: SessionCondition, before: SessionCondition | None) -> bool:
    return before is not None and msgspec.structs.replace(row, judged_at=before.judged_at) == before


def _changes(new: list[SessionCondition], before: dict[dt.date, SessionCondition]) -> list[Change]:
    """Those whose state is another one; a session that is first judged as missing is no news."""
    found = []
    for row in new:
        known = before.get(row.trading_day)
        state = None if known is None else known.state
        if state != row.state and not (state is None and row.state == SessionState.MISSING):
            found.append(Change(trading_day=row.trading_day, before=state, after=row.state, summary=row.reason))
    return found
