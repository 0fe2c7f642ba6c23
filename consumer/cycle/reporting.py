"""Tells people and services what happens: the day's status, the last complete day, events and the log's story.

All of it is derived from the ledger and can be written again at any time; a failure to report never stops the work.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle.day_status import human_duration, read_status
from consumer.cycle.opening import ALL_TASKS
from consumer.postgres import cycles
from consumer.postgres.pool import CONNECTION_ERRORS
from producers import keys
from producers.messages import TaskName, encode
from producers.reports import CycleStatus, EventName, MaintenanceEvent, TaskState, encode_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from consumer.cycle.opening import Opened
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.ledger import PartId
    from consumer.postgres.pool import Pool

PUBLISH_EVERY = dt.timedelta(milliseconds=250)
_REPORT_ERRORS = (RedisError, *CONNECTION_ERRORS)


class Reporter:
    """Writes the reports of one consumer."""

    def __init__(self, pool: Pool, redis: Redis, *, now: Callable[[], dt.datetime]) -> None:
        self._pool = pool
        self._redis = redis
        self._now = now
        self._published_at: dt.datetime | None = None

    async def publish(self, cycle_id: int) -> Cycle | None:
        """Write the cycle's status to its day's key, and the last complete day; return the cycle."""
        try:
            cycle = await cycles.find_cycle(self._pool, cycle_id)
            if cycle is None:
                return None
            status = await read_status(self._pool, cycle, now=self._now())
            if cycle.first_day is None:  # a backfill is not its last day's maintenance
                await self._redis.set(keys.status_key(cycle.trading_day), encode_status(status), ex=keys.STATUS_TTL)
            if cycle.state == "complete" and set(cycle.tasks) >= {task.value for task in ALL_TASKS}:
                await self._advance_last_run(cycle.trading_day)
        except _REPORT_ERRORS as error:
            logger.warning("status_not_published", reason=str(error))
            return None
        self._published_at = self._now()
        return cycle

    async def _advance_last_run(self, day: dt.date) -> None:
        known = await self._redis.get(keys.LAST_RUN.pattern)
        if known is None or str(known) < day.isoformat():
            await self._redis.set(keys.LAST_RUN.pattern, day.isoformat())

    async def cycle_opened(self, opened: Opened) -> None:
        """Tell that a request was served: by a new cycle, or by one there already was."""
        cycle = opened.cycle
        log = logger.bind(trading_day=str(cycle.trading_day), cycle=cycle.cycle_id, occasion=cycle.occasion)
        match opened.verdict:
            case "opened":
                log.info("maintenance_cycle_started", requested_by=cycle.requested_by, tasks=list(cycle.tasks))
                await self.event(EventName.CYCLE_PLANNED, cycle=cycle, detail=cycle.occasion)
            case verdict:
                log.info("request_served_by_another_cycle", verdict=verdict, state=cycle.state)
        for other in opened.suspended:
            log.info("backfill_suspended", backfill=other.cycle_id)
        for other in opened.superseded:
            log.warning("maintenance_cycle_superseded", superseded=other.cycle_id)
            await self.event(EventName.CYCLE_SUPERSEDED, cycle=cycle, detail=f"cycle {other.cycle_id}")
            await self.publish(other.cycle_id)
        await self.publish(cycle.cycle_id)

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
        """Tell how a pass ended: the cycle waits, or is over."""
        try:
            status = await read_status(self._pool, cycle, now=self._now())
        except _REPORT_ERRORS as error:
            logger.warning("status_not_published", reason=str(error))
            return
        for task, state in status.tasks.items():
            if (parts := status.parts.get(task)) is not None:
                detail = f"{state.value}, {parts.done} of {parts.total} parts"
                await self.event(EventName.TASK_FINISHED, cycle=cycle, task=TaskName(task), detail=detail)
        if cycle.state == "waiting":
            logger.warning(
                "maintenance_cycle_waiting", date=str(cycle.trading_day), reason=cycle.reason,
                next_try_at=str(cycle.next_pass_at), missing=list(cycle.missing[:5]),
            )  # fmt: skip
            await self.event(EventName.CYCLE_WAITING, cycle=cycle, detail=cycle.reason)
            return
        log_finished(status)
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
        """Append to maintenance:events."""
        event = MaintenanceEvent(
            event=name, at=self._now(), trading_day=None if cycle is None else cycle.trading_day,
            cycle=None if cycle is None else cycle.cycle_id, task=task, part=part, detail=detail or None,
        )  # fmt: skip
        fields: dict[Any, Any] = {**encode(event)}
        try:
            await self._redis.xadd(keys.EVENTS.name, fields, maxlen=keys.EVENTS.kept, approximate=True)
        except RedisError as error:
            logger.warning("event_not_written", reason=str(error))


def log_finished(status: CycleStatus) -> None:
    """Write the line that operators of the earlier service know."""
    states: Sequence[TaskState] = list(status.tasks.values())
    seconds = status.duration_seconds or 0.0
    log = logger if status.all_success else logger.bind(runbook="cycle-not-complete")
    log.log(
        "INFO" if status.all_success else "ERROR",
        "maintenance_cycle_finished",
        date=status.date.isoformat(),
        duration_seconds=round(seconds, 1),
        duration_human=human_duration(seconds),
        completed=sum(state is TaskState.COMPLETED for state in states),
        failed=sum(state not in (TaskState.COMPLETED, TaskState.SKIPPED) for state in states),
        success=status.all_success,
        state=status.state.value,
        missing=status.missing[:20],
        requests=status.requests,
    )
