"""Tells people and services what happens: the day's status and verdict, events and the log's story.

All of it is derived from the ledger and can be written again at any time; a failure to report never stops the work.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import asyncpg
from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle.opening import Served
from consumer.cycle.publication import Change, Published, Publisher
from consumer.cycle.run_report import human_duration, read_run
from consumer.postgres import cycles
from consumer.postgres.pool import POSTGRES_ERRORS
from consumer.verdict import words
from contract import keys
from contract.messages import TaskName, encode
from contract.reports import (
    Condition,
    CycleState,
    EventName,
    MaintenanceEvent,
    RunReport,
    SessionState,
    TaskState,
)
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from consumer.cycle.announcing import Announcer
    from consumer.cycle.opening import Opened
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.ledger import PartId
    from consumer.postgres.pool import Pool
    from consumer.verdict.reading import Judged
    from consumer.verdict.ruler import Expectations
    from consumer.verdict.states import SessionVerdict

PUBLISH_EVERY = dt.timedelta(milliseconds=250)
JUDGE_EVERY = dt.timedelta(seconds=10)  # while a cycle runs; at its end always
_REPORT_ERRORS = (RedisError, *POSTGRES_ERRORS, CalendarError)


class Reporter:
    """Writes the reports of one consumer."""

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        expectations: Expectations,
        *,
        now: Callable[[], dt.datetime],
        announcer: Announcer | None = None,
    ) -> None:
        self._pool = pool
        self._announcer = announcer
        self._alerts = None if announcer is None else announcer.alerts
        self._redis = redis
        self._now = now
        self._publisher = Publisher(pool, redis, expectations, now=now, alerts=self._alerts)
        self._published_at: dt.datetime | None = None
        self._judged_at: dt.datetime | None = None

    @property
    def judged(self) -> Judged | None:
        """What this process has published last."""
        return self._publisher.known

    async def publish(self, cycle_id: int) -> Cycle | None:
        """Write the status of the cycle's day, with its verdict as it was last judged; return the cycle."""
        try:
            cycle = await cycles.find_cycle(self._pool, cycle_id)
            if cycle is None:
                return None
            anew = self._judged_at is None or self._now() - self._judged_at >= JUDGE_EVERY
            changes = await self._publisher.publish_day(cycle.trading_day, anew=anew)
        except asyncpg.LockNotAvailableError:
            return cycle  # somebody else is publishing just now, and a part that ends soon will be published again
        except _REPORT_ERRORS as error:
            logger.warning("status_not_published", reason=str(error))
            return None
        self._published_at = self._now()
        self._judged_at = self._published_at if anew else self._judged_at
        await self._report_changes(changes)
        return cycle

    async def judge(self, *days: dt.date) -> Published | None:
        """Judge all sessions of the window, and *days*, and publish what they are; None when a server is away."""
        try:
            published = await self._publisher.publish(*days, wait=True)
        except _REPORT_ERRORS as error:
            logger.warning("verdict_not_published", reason=str(error))
            return None
        await self._report(published)
        return published

    async def refresh(self) -> None:
        """Publish again where the ledger, the hour or Redis ask for it. Raises what a server that is away raises."""
        published = await self._publisher.refresh()
        if published is not None:
            await self._report(published)

    async def announce(self) -> None:
        """Say to neighbours what is not said yet. Raises what a server that is away raises."""
        if self._announcer is not None:
            await self._announcer.look()

    async def clear_caches_asked(self, cycle: Cycle) -> None:
        """Answer a request for *cycle* that wants caches cleared. Raises RedisError."""
        if self._announcer is not None:
            await self._announcer.clear_caches_asked(cycle)

    async def _report(self, published: Published) -> None:
        await self._report_changes(published.changes)
        for name, some in (
            (EventName.DEADLINE_MISSED, published.noted.missed),
            (EventName.DEADLINE_MADE_GOOD, published.noted.made_good),
        ):
            for day in dict.fromkeys(one.trading_day for one in some):
                detail = "; ".join(words.missed_in_words(one for one in some if one.trading_day == day))
                await self.tell(MaintenanceEvent(event=name, at=self._now(), trading_day=day, detail=detail))
        if missed := words.missed_in_words(published.noted.missed):
            logger.error("deadline_missed", missed=missed, runbook="deadline-missed")

    async def _report_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before = "" if change.before is None else f"{change.before} → "
            detail = f"{before}{change.after}: {change.summary}"
            name, day = EventName.SESSION_JUDGED, change.trading_day
            await self.tell(MaintenanceEvent(event=name, at=self._now(), trading_day=day, detail=detail))
        if changes and self._announcer is not None:
            try:
                await self._announcer.tell_completion()
            except _REPORT_ERRORS as error:  # the catch-up says it
                logger.warning("completion_not_published", reason=str(error))

    async def cycle_opened(self, opened: Opened) -> None:
        """Tell that a request was served: by a new cycle, or by one there already was."""
        cycle = opened.cycle
        log = logger.bind(trading_day=str(cycle.trading_day), cycle=cycle.cycle_id, occasion=cycle.occasion)
        if opened.served is Served.OPENED:
            log.info("maintenance_cycle_started", requested_by=cycle.requested_by, tasks=list(cycle.tasks))
            await self.event(EventName.CYCLE_PLANNED, cycle=cycle, detail=cycle.occasion)
            await self._begun(cycle)
        else:
            log.info("request_served_by_another_cycle", served=opened.served.value, state=cycle.state)
        for other in opened.suspended:
            log.info("backfill_suspended", backfill=other.cycle_id)
        for other in opened.superseded:
            log.warning("maintenance_cycle_superseded", superseded=other.cycle_id)
            await self.event(EventName.CYCLE_SUPERSEDED, cycle=cycle, detail=f"cycle {other.cycle_id}")
            await self.publish(other.cycle_id)
        await self.publish(cycle.cycle_id)

    async def _begun(self, cycle: Cycle) -> None:
        if cycle.scheduled and self._alerts is not None:
            try:
                await self._alerts.begun(self._pool, cycle.trading_day, cycle.occasion, now=self._now())
            except POSTGRES_ERRORS as error:  # that it ended will be told
                logger.warning("alert_not_stored", reason=str(error))

    async def cycle_cancelled(self, cycle_id: int) -> None:
        """Tell that a person ended a cycle."""
        cycle = await self.publish(cycle_id)
        if cycle is not None:
            logger.warning(
                "maintenance_cycle_cancelled", trading_day=str(cycle.trading_day), cycle=cycle_id, reason=cycle.reason
            )
            await self.event(EventName.CYCLE_CANCELLED, cycle=cycle, detail=cycle.reason)

    async def part_ended(self, cycle_id: int, part: PartId) -> None:
        """Refresh the status, at most a few times a second; tell the end of a cycle."""
        ends_cycle = part.task == TaskName.CYCLE and part.part == "finish"
        if self._recent and not ends_cycle:
            return
        cycle = await self.publish(cycle_id)
        if ends_cycle and cycle is not None:
            await self.pass_ended(cycle)

    async def part_retried(self, cycle_id: int) -> None:
        """Refresh the status, which names why parts are tried again."""
        if not self._recent:
            await self.publish(cycle_id)

    @property
    def _recent(self) -> bool:
        return self._published_at is not None and self._now() - self._published_at < PUBLISH_EVERY

    async def pass_ended(self, cycle: Cycle) -> None:
        """Tell how a pass ended, and what the session's data are now: the cycle waits, or is over."""
        published = await self.judge(cycle.trading_day)
        try:
            run = await read_run(self._pool, cycle, now=self._now())
        except _REPORT_ERRORS as error:
            logger.warning("status_not_published", reason=str(error))
            return
        for task, state in run.tasks.items():
            if (parts := run.parts.get(task)) is not None:
                detail = f"{state.value}, {parts.done} of {parts.total} parts"
                await self.event(EventName.TASK_FINISHED, cycle=cycle, task=TaskName(task), detail=detail)
        if cycle.state is CycleState.WAITING:
            logger.warning(
                "maintenance_cycle_waiting",
                date=str(cycle.trading_day),
                reason=cycle.reason,
                next_try_at=str(cycle.next_pass_at),
                missing=list(cycle.missing[:5]),
            )
            await self.event(EventName.CYCLE_WAITING, cycle=cycle, detail=cycle.reason)
            return
        log_finished(run, None if published is None else published.judged.verdicts[cycle.trading_day])
        await self.event(EventName.CYCLE_FINISHED, cycle=cycle, detail=cycle.state)

    async def part_failed(
        self, part: PartId, trading_day: dt.date, reason: str, *, event: EventName, not_yet: bool
    ) -> None:
        """Tell that a part ended without its data."""
        level = "INFO" if not_yet else "WARNING"
        logger.bind(trading_day=str(trading_day), cycle=part.cycle_id, task=part.task, part=part.part).log(
            level, "part_not_yet_published" if not_yet else "part_failed", reason=reason
        )
        cycle = await self.publish(part.cycle_id)
        if not not_yet:
            await self.event(event, cycle=cycle, task=TaskName(part.task), part=part.part, detail=reason)
        if cycle is not None and part.task == TaskName.CYCLE:
            await self.pass_ended(cycle)

    async def refused(self, reason: str) -> None:
        """Tell that a message was refused."""
        await self.event(EventName.DEAD_LETTERED, detail=reason)

    async def event(
        self,
        name: EventName,
        *,
        cycle: Cycle | None = None,
        task: TaskName | None = None,
        part: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Tell what happened, to a cycle as a rule."""
        happened = MaintenanceEvent(
            event=name,
            at=self._now(),
            trading_day=None if cycle is None else cycle.trading_day,
            cycle=None if cycle is None else cycle.cycle_id,
            task=task,
            part=part,
            detail=detail or None,
        )
        await self.tell(happened)

    async def tell(self, happened: MaintenanceEvent) -> None:
        """Append to maintenance:events."""
        fields: dict[Any, Any] = {**encode(happened)}
        try:
            await self._redis.xadd(keys.EVENTS.name, fields, maxlen=keys.EVENTS.kept, approximate=True)
        except RedisError as error:
            logger.warning("event_not_written", reason=str(error))


def log_finished(run: RunReport, verdict: SessionVerdict | None) -> None:
    """Write the line that operators of the earlier service know: success is the session's, not the run's.

    Without a verdict (a server went away meanwhile) nothing is claimed. What is not due yet, or comes later on this
    plan, is no error; a run that left something of any session is one.
    """
    states: Sequence[TaskState] = list(run.tasks.values())
    seconds = run.duration_seconds or 0.0
    success = verdict is not None and verdict.state in (SessionState.PROVISIONAL, SessionState.FINAL)
    pending = verdict is not None and verdict.condition is Condition.PENDING
    fine = (success or pending) and not run.missing and run.state is not CycleState.FAILED
    log = logger if fine else logger.bind(runbook="cycle-not-complete")
    log.log(
        "INFO" if fine else "ERROR",
        "maintenance_cycle_finished",
        date=run.trading_day.isoformat(),
        duration_seconds=round(seconds, 1),
        duration_human=human_duration(seconds),
        completed=sum(state is TaskState.COMPLETED for state in states),
        failed=sum(state not in (TaskState.COMPLETED, TaskState.SKIPPED) for state in states),
        success=success,
        session=None if verdict is None else verdict.state.value,
        run=run.state.value,
        missing=[*([] if verdict is None else words.missing_lines(verdict)), *run.missing][:20],
        requests=run.requests,
    )
