"""Finds due work from calendar and ledger alone, so that a lost event is only a delay.

Every consumer runs it, every 30 seconds and at start, without a leader: all it does is send messages whose work is
never twice under way. It opens the newest due cycle, sends the parts whose messages Redis lost, starts the next pass
of a cycle that waited, and has the caches written again that Redis lost, and the stamp of whose data it holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle import calling_off
from consumer.cycle.heartbeat import beat
from consumer.cycle.late_data import request_for_late_data
from consumer.cycle.lost_caches import request_for_lost_caches
from consumer.cycle.messages import pass_message, rule_message
from consumer.cycle.outbox import OpenParts
from consumer.cycle.stale_figures import request_for_stale_figures
from consumer.delivery.outbox import resend
from consumer.postgres import cycles
from consumer.postgres.pool import BUSY_ERRORS, POSTGRES_ERRORS
from contract.reports import CycleState
from market.calendar_errors import CalendarError
from process.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.cycle.reporting import Reporter
    from consumer.cycle.stores import Stores
    from consumer.delivery.entries import Outgoing
    from consumer.source.guard import SourceGuard
    from market.schedule import Schedule

EVERY = dt.timedelta(seconds=30)
AT_MOST_EVERY_S = 1.0  # however often it is woken
WARN_AGAIN_AFTER = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How a catch-up looks: *guard* refuses servers that meanwhile hold the data of another source."""

    opens_due_cycles: bool = True
    every: dt.timedelta = EVERY
    guard: SourceGuard | None = None


class CatchUp:
    """The reconciler of one consumer: the outbox of all that is to be done, and who sends what is left of it."""

    def __init__(
        self,
        stores: Stores,
        schedule: Schedule,
        reporter: Reporter,
        *,
        now: Callable[[], dt.datetime],
        looking: Looking | None = None,
    ) -> None:
        self._pool, self._redis, self._stream = stores.pool, stores.redis, stores.stream
        self._schedule = schedule
        self._reporter = reporter
        self._now = now
        self._looking = looking or Looking()
        self._woken = asyncio.Event()
        self._warned_at: dt.datetime | None = None

    def wake(self) -> None:
        """Look now: something was lost."""
        self._woken.set()

    async def run(self) -> None:
        """Look at start, then every *every*, until cancelled."""
        trouble = Trouble("catch_up_postponed")
        while True:
            self._woken.clear()
            pause = self._looking.every.total_seconds()
            try:
                sent = await self.look()
                await beat(self._redis, self._stream.consumer, now=self._now())
                if sent:
                    logger.info("caught_up", messages=sent)
                trouble.over()
            except (RedisError, *BUSY_ERRORS) as error:
                pause = trouble.met(error)
            except POSTGRES_ERRORS as error:  # a statement of ours that it does not take: the others' work goes on
                pause = trouble.met(error, event="catch_up_refused", runbook="statement-refused")
            await asyncio.sleep(AT_MOST_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def look(self) -> int:
        """Send what is due or lost; return how many messages that was. Raises SourceRefused."""
        if self._looking.guard is not None:
            await self._looking.guard.keep()
        now = self._now()
        sent = await resend(self._stream, self, now=now)
        await calling_off.finish_calling_off(self._pool, self._stream, now=now)
        with self._within_the_calendar():
            await self._reporter.refresh()
            await self._reporter.announce()
        return sent

    async def unsent(self, *, now: dt.datetime) -> list[Outgoing]:
        """Return the messages of what the ledger says is to be done, and of what calendar and caches ask for."""
        unended = await cycles.unended_cycles(self._pool)
        running = [cycle for cycle in unended if cycle.state is CycleState.RUNNING]
        messages = await OpenParts(self._pool, running).unsent(now=now)
        waiting = [cycle for cycle in unended if cycle.state is not CycleState.RUNNING]
        messages += [pass_message(one) for one in waiting if one.next_pass_at is None or one.next_pass_at <= now]
        if self._looking.opens_due_cycles:
            with self._within_the_calendar():
                messages += await self._due(now)
            if not messages and not unended:
                messages += await request_for_lost_caches(self._pool, self._redis, now=now)
                messages += await request_for_stale_figures(self._pool)
                messages += await request_for_late_data(self._pool, self._reporter.judged, now=now)
        return messages

    @contextlib.contextmanager
    def _within_the_calendar(self) -> Iterator[None]:
        """A clock outside the calendar makes nothing due, and ends nobody: it may be set right any moment."""
        try:
            yield
        except CalendarError as error:
            if self._warned_at is None or abs(self._now() - self._warned_at) >= WARN_AGAIN_AFTER:
                self._warned_at = self._now()
                logger.error("trading_calendar_ends", problem=str(error), runbook="calendar-ends")

    async def _due(self, now: dt.datetime) -> list[Outgoing]:
        """The newest due occurrence only: its cycle brings the days before it up to date as well."""
        occurrence = self._schedule.latest_due(now)
        known = await cycles.cycle_of_occasion(self._pool, occurrence.trading_day, occurrence.rule.text)
        if known is not None:
            return []
        return [rule_message(occurrence.trading_day, occurrence.rule.text, requested_by="catch-up")]
