"""Says what a part of a task is given and what it must give back.

A handler fetches and computes without touching the database, then returns a *write*: the runner calls it inside the
one transaction that also checks the fence and records the part's end. So no handler can commit outside of it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from consumer.delivery.errors import Busy
from consumer.postgres import coverage, evidence
from consumer.postgres.coverage import Load
from consumer.postgres.tickers import Evening
from consumer.tasks.terms import TaskOptions, Terms
from consumer.vendor.errors import KeyRejected, OutOfTime, VendorError
from consumer.vendor.sieve import Sieve
from contract import data_sets
from market.data_source import VENDOR
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from redis import Redis

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.ledger import PartId, PartReport
    from consumer.postgres.pool import Connection, Pool
    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor
    from market.data_source import DataSource
    from market.schedule import Schedule
    from market.trading_calendar import TradingCalendar


@dataclass(kw_only=True, eq=False)
class Services:
    """What the composition root builds once and every part uses."""

    pool: Pool
    cache: Redis
    vendor: MarketDataVendor
    calendar: TradingCalendar
    schedule: Schedule
    options: TaskOptions
    now: Callable[[], dt.datetime]
    flat_files: FlatFileStore | None = None
    source: DataSource = VENDOR


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer of the vendor brought: when it was asked, how many rows, and what its sieve has lost of it.

    *way*: `rest` or `flat_files`. *request_id*: what the vendor calls the answer, or the version of its file.
    """

    at: dt.datetime
    rows: int
    sieve: Sieve
    way: str = "rest"
    request_id: str | None = None


class PartContext:
    """One run of one part: its cycle, its payload and the fence under which it may write."""

    def __init__(self, services: Services, cycle: Cycle, part: PartId, payload: dict[str, Any], fence: int) -> None:
        self.services = services
        self.cycle = cycle
        self.part = part
        self.payload = payload
        self.fence = fence

    @property
    def terms(self) -> Terms:
        """What the cycle is measured by."""
        services = self.services
        return Terms(cycle=self.cycle, schedule=services.schedule, options=services.options, source=services.source)

    @property
    def day(self) -> dt.date:
        """The trading day that the cycle is for."""
        return self.cycle.trading_day

    def ask_until(self) -> float | None:
        """When, by the event loop's clock, this part is to stop asking and commit; None: never."""
        lasts = self.services.options.ask_for
        return None if lasts is None else asyncio.get_running_loop().time() + lasts.total_seconds()

    def sieve(self) -> Sieve:
        """What is lost of the answers to this part's questions; dates are held against the day of asking."""
        return Sieve(self.services.now().astimezone(NEW_YORK).date())

    def provenance(self, way: str) -> str:
        """What `data_load.source` says of rows that came this *way*, `rest` or `flat_files`: whose they are as well."""
        return f"{self.services.source.provenance}:{way}"

    async def note_load(
        self, connection: Connection, *, at: dt.datetime, rows: int, source: str = "computed"
    ) -> Loaded:
        """Record, under the part's fence, where *rows* come from that are written next."""
        load = Load(fence=self.fence, source=source, fetched_at=at, rows=rows)
        return await coverage.record_load(connection, self.part, load)

    async def note_answer(self, connection: Connection, data_set: str, day: dt.date, came: Came) -> Loaded:
        """The same of an answer of the vendor, and keep what was lost of it."""
        load = Load(
            fence=self.fence,
            source=self.provenance(came.way),
            fetched_at=came.at,
            rows=came.rows,
            request_id=came.request_id,
            rejected=came.sieve.rejected,
        )
        loaded = await coverage.record_load(connection, self.part, load)
        await evidence.keep_set_aside(connection, data_set, day, came.sieve.set_aside, load_id=loaded.load_id)
        return loaded

    def sessions(self, count: int) -> tuple[dt.date, ...]:
        """The last *count* trading days up to and including the cycle's, ascending; of a backfill its own days."""
        return self.terms.sessions(count)

    def fresh_since(self, day: dt.date) -> dt.datetime:
        """Since when data of *day* must have been fetched to need no fetching now."""
        return self.terms.fresh_since(day)

    def settled_since(self, day: dt.date) -> dt.datetime:
        """The same for bars and slots, which the vendor restates on the evenings after."""
        return self.terms.settled_since(day)

    def next_session(self, day: dt.date) -> dt.date:
        """The day of the session after that of *day*."""
        return self.services.calendar.session_after(day).day

    def evening(self, day: dt.date, at: dt.datetime) -> Evening:
        """The evening of the session of *day*, as what was fetched *at* then is applied."""
        return Evening(day=day, now=at, next_session=self.next_session)

    async def present_day(self, at: dt.datetime) -> dt.date:
        """The session whose evening it is at the instant *at*; of a replay, the newest that was maintained."""
        newest = await coverage.newest_day(self.services.pool, data_sets.UNIVERSE)
        return self.terms.present_day(at, newest)


class InputMissing(Exception):
    """What this part computes from is not there; computing without it would pass off old data as the day's."""


T = TypeVar("T")


async def bounded_gather(
    work: Sequence[Coroutine[Any, Any, T]], *, at_once: int, until: float | None = None
) -> list[T | VendorError]:
    """Run *work*, at most *at_once* together; an outcome is its result or the vendor's error. A rejected
    key ends them all. What has not come by *until* (the loop's clock) is OutOfTime."""
    gate = asyncio.Semaphore(at_once)

    async def one(coroutine: Coroutine[Any, Any, T]) -> T | VendorError:
        async with gate:
            return await _in_time(coroutine, until)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(coroutine)) for coroutine in work]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
    finally:
        for coroutine in work:
            coroutine.close()  # one that was cancelled before its turn has not begun
    return [task.result() for task in tasks]


async def _in_time(coroutine: Coroutine[Any, Any, T], until: float | None) -> T | VendorError:
    if until is not None and asyncio.get_running_loop().time() >= until:
        return OutOfTime("not asked in time")
    try:
        async with asyncio.timeout_at(until) as limit:
            return await coroutine
    except TimeoutError:
        if limit.expired():
            return OutOfTime("not answered in time")
        raise  # its own, of something that it waited for
    except KeyRejected:
        raise  # every other request would meet the same answer
    except VendorError as error:
        return error


def what_is_left(failures: Sequence[VendorError], *, progress: bool) -> Exception | None:
    """Why a part is not at its end. One that ran out of time and made progress goes on at once, uncounted."""
    away = next((one for one in failures if not isinstance(one, OutOfTime)), None)
    if away is not None or not failures:
        return away
    if not progress:
        return failures[0]
    return Busy(f"{len(failures)} more are asked for next: what came in time is committed", delay=dt.timedelta(0))


async def require_coverage(ctx: PartContext, *data_sets: str) -> None:
    """Raise InputMissing unless the ledger covers all of *data_sets* on the cycle's day."""
    for data_set in data_sets:
        if await coverage.covered_on(ctx.services.pool, data_set, ctx.day) is None:
            raise InputMissing(f"{data_set} of {ctx.day} is not there: what stood before is kept")


Write = Callable[["Connection"], Awaitable["PartReport"]]
Handler = Callable[[PartContext], Awaitable[Write]]
