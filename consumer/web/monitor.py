"""Answers questions about the service from PostgreSQL and Redis, for HTTP and the terminal alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from consumer.checks.asked_work import Work
from consumer.checks.pending_work import waiting_for_newer
from consumer.completeness.cache_repairs import read_histories
from consumer.cycle.lost_caches import holds_all_caches
from consumer.cycle.publication import read_day_status
from consumer.cycle.run_report import read_run
from consumer.postgres import cycles, dead_letters, letter_causes, session_conditions, source_stamp
from consumer.postgres.missed_deadlines import MissedDeadline
from consumer.verdict import words
from consumer.verdict.deadlines import missed_deadlines
from consumer.verdict.gaps import is_behind
from consumer.verdict.reading import Judged, judge_sessions, judge_window, window
from consumer.verdict.service import Serving
from consumer.web.health import Check, Health, Seen
from consumer.web.readiness import Readiness
from contract import keys
from contract.reports import DayStatus, RunReport
from market.calendar_errors import CalendarError
from market.data_source import SourceKind
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Connection, Pool
    from consumer.verdict.ruler import Expectations
    from consumer.verdict.states import SessionVerdict
    from market.data_source import DataSource
    from market.schedule import Schedule
    from market.trading_calendar import TradingCalendar


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data the database holds; *words* are for people."""

    kind: SourceKind
    identity: str
    words: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the service stands: what the newest session's data are, and what is being done.

    *session* is the newest one that is due; *serving* how its newest due time is served. *behind* has the older
    sessions of the window that lack something, with the verdict in a sentence. *deadlines_missed*: what of the window
    was not there in time, and is not yet. *caches*: whether Redis holds what was
    written; None where it does not answer. *caches_contested*: what of them others write over again and again;
    *caches_changed*: keys that are not as written, where all were looked at.
    *dead_letters_only_counted*: how many were given up for the
    causes of the open ones and not kept. *for_newer_workers*: messages of a version that is not known here, which wait;
    None where Redis does not answer. *source* is None before the first load.
    """

    now: dt.datetime
    session: DayStatus
    serving: Serving
    last_run: dt.date | None
    last_final: dt.date | None
    behind: dict[str, str]
    current: RunReport | None
    last: RunReport | None
    next_due: dict[str, object]
    caches: bool | None
    streams: dict[str, int] | None
    for_newer_workers: list[Work] | None
    dead_letters: int
    dead_letters_only_counted: int
    source: Source | None
    caches_contested: list[str] = []
    caches_changed: list[str] = []
    deadlines_missed: list[MissedDeadline] = []


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The consumer of the same process, where there is one: its name, and how it judged the sessions last."""

    consumer: str | None = None
    published: Callable[[], Judged | None] = lambda: None


class Monitor:
    """Answers questions about the service from PostgreSQL and Redis; *beside* is the consumer of the same process."""

    def __init__(
        self,
        *,
        pool: Pool,
        redis: Redis,
        expectations: Expectations,
        now: Callable[[], dt.datetime],
        beside: Beside | None = None,
    ) -> None:
        beside = beside or Beside()
        self.published = beside.published
        self.pool = pool
        self.redis = redis
        self.expectations = expectations
        self.schedule = expectations.schedule
        self.calendar = expectations.schedule.calendar
        self.now = now
        self._health = Health(pool, redis)
        self._readiness = Readiness(pool, redis, consumer=beside.consumer, now=now)

    async def health(self) -> dict[str, Check]:
        """Whether both servers answer, and the streams take work."""
        return await self._health.look()

    async def readiness(self) -> dict[str, Check]:
        """The same, and whether tables, group, worker and catch-up are there."""
        servers = await self.health()
        return {**servers, **await self._readiness.look(servers)}

    @property
    def seen(self) -> Seen:
        """What Redis said beside when `health` asked it last; nothing while it does not answer."""
        return self._health.seen

    async def close(self) -> None:
        """Ask nothing any more."""
        await self._health.close()
        await self._readiness.close()

    async def status(self, judged: Judged | None = None) -> Status:
        """Judge the sessions as they stand now, or as they were *judged* just now; say what is under way."""
        now = self.now()
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = judged or await judge_window(connection, self.expectations, now=now)
            session = await self._session(connection, judged)
            unended, last = await cycles.unended_cycles(connection), await cycles.last_ended(connection)
            current = await read_run(connection, unended[0], now=now) if unended else None
            ended = await read_run(connection, last, now=now) if last is not None else None
            letters, only_counted = await dead_letters.open_count(connection), await letter_causes.not_kept(connection)
            source = _source(await source_stamp.read_stamp(connection))
        return Status(
            now=now,
            session=session,
            serving=judged.serving,
            last_run=judged.last_run,
            last_final=judged.last_final,
            behind=_behind(judged, session.date),
            current=current,
            last=ended,
            next_due=next_due(self.schedule, self.calendar, now),
            caches=await self._caches(),
            caches_contested=await self._contested(),
            streams=await self._streams(),
            for_newer_workers=await self._for_newer_workers(),
            dead_letters=letters,
            dead_letters_only_counted=only_counted,
            source=source,
            deadlines_missed=missed_deadlines(_of_window(judged).values()),
        )

    async def details(self, status: Status) -> DayStatus | None:
        """What stands of the newest whole session, as `maintenance:status:{day}` has it; None where none is whole."""
        if status.last_run is None or status.last_run == status.session.date:
            return status.session if status.last_run is not None else None
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            day = status.last_run
            judged = await judge_sessions(connection, self.expectations, now=status.now, days=[day])
            return await read_day_status(connection, judged.verdicts[day], None, now=status.now)

    async def _session(self, connection: Connection, judged: Judged) -> DayStatus:
        day = judged.serving.trading_day
        stored = (await session_conditions.read_conditions(connection, [day])).get(day)
        verdict = judged.verdicts[day]
        since = stored.state_since if stored is not None and stored.state == verdict.state else None
        return await read_day_status(connection, verdict, since, now=judged.ruler.now)

    async def _caches(self) -> bool | None:
        try:
            return await holds_all_caches(self.pool, self.redis) and not await self._contested()
        except RedisError:
            return None

    async def _contested(self) -> list[str]:
        """Which keys of caches somebody writes over again and again, and who it is likely to be."""
        try:
            histories = await read_histories(self.redis)
        except RedisError:
            return []
        return [line for cache, one in sorted(histories.items()) if (line := one.in_words(cache, self.now()))]

    async def _streams(self) -> dict[str, int] | None:
        """How many messages are under way; None where Redis is away (the status must say the rest all the same).

        Of one moment: a message that comes due between two looks would be counted by neither.
        """
        try:
            async with self.redis.pipeline(transaction=True) as looks:
                looks.xlen(keys.TASKS.name)
                looks.xpending(keys.TASKS.name, keys.GROUP)
                looks.zcard(keys.LATER.pattern)
                tasks, pending, later = await looks.execute(raise_on_error=False)
        except RedisError:
            return None
        if any(isinstance(answer, RedisError) for answer in (tasks, later)):
            return None
        # A flushed Redis has no group until a consumer makes it again.
        held = 0 if isinstance(pending, ResponseError) else int(pending["pending"])
        return {"tasks": tasks, "pending": held, "later": later}

    async def _for_newer_workers(self) -> list[Work] | None:
        try:
            return await waiting_for_newer(self.redis)
        except RedisError:
            return None


def _source(held: DataSource | None) -> Source | None:
    return None if held is None else Source(kind=held.kind, identity=held.identity, words=held.words)


def _behind(judged: Judged, newest: dt.date) -> dict[str, str]:
    """The sessions before *newest* that lack something, or are not what they should be by now."""
    older = {day: one for day, one in _of_window(judged).items() if day < newest}
    return {str(day): words.sentence(one) for day, one in older.items() if is_behind(one, judged.ruler)}


def _of_window(judged: Judged) -> dict[dt.date, SessionVerdict]:
    first = window(judged.ruler.expectations, judged.ruler.now)[0]
    return {day: one for day, one in judged.verdicts.items() if first <= day}


def next_due(schedule: Schedule, calendar: TradingCalendar, now: dt.datetime) -> dict[str, object]:
    """Say when the next cycle is due and why, in words; after the calendar's last due time, that there is none."""
    try:
        due = schedule.next_due(now)
    except CalendarError as error:
        return {"at": None, "in_seconds": None, "trading_day": None, "rule": None, "reason": str(error)}
    session = calendar.session(due.trading_day)
    closes = session.closes_at.astimezone(NEW_YORK)
    close = f"early close {closes:%H:%M} ET" if session.early_close else f"close {closes:%H:%M} ET"
    return {
        "at": due.due_at,
        "in_seconds": round((due.due_at - now).total_seconds()),
        "trading_day": due.trading_day,
        "rule": due.rule.text,
        "reason": f"{due.trading_day:%a %d %b} · {close} · {due.rule.text}",
    }


def next_words(due: dict[str, Any]) -> str:
    """The same in a line for people."""
    return f"next: {due['reason']}" + (f" at {due['at']:%Y-%m-%d %H:%M} UTC" if due["at"] else "")
