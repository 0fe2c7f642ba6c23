"""Makes the page's first answer: verdict, calendar, findings; once for all who ask at the same moment.

What stands is read again when the ledger's version has changed, or after a while; while a cycle runs, whose every part
changes it, at most once in `JUDGE_EVERY`, and more seldom where that takes long. It is judged each time by the present
instant, and what the runs have done is read each time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import PendingWork, read_pending
from consumer.cycle.publication import JUDGED_ANEW_AFTER
from consumer.cycle.reporting import JUDGE_EVERY
from consumer.page import waits
from consumer.page.calendar import Calendar, Work, calendar_of, under_way
from consumer.page.found import Found, Prescription
from consumer.page.prescriptions import prescriptions
from consumer.page.shared import SHARE_OF_TIME, Shared
from consumer.page.waits import Wait
from consumer.postgres import boundaries, cycles, dead_letters, findings, letter_causes, run_figures, run_timeline
from consumer.postgres.dead_letters import Selection
from consumer.postgres.holdings_reader import read_version
from consumer.verdict import words
from consumer.verdict.judge import judge, ruler_of
from consumer.verdict.reading import Judged, judge_sessions, judge_window, window
from consumer.verdict.states import SessionState
from consumer.web.health import AWAY
from consumer.web.monitor import Monitor, Status, next_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.page.shared import Answer
    from consumer.postgres.pool import Connection
    from consumer.settings import Settings

#: Sessions in one answer; older ones are asked for.
SESSIONS_SHOWN = 21
#: While a cycle runs and its parts change the ledger all the time; more often where reading it costs little.
JUDGED_AT_LEAST_EVERY = dt.timedelta(seconds=30)


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The page but for what is opened. *sentence*, *serving* and *next* are the words of `maintenance status`.

    *headline* is the sentence without its reasons, which stand in the status as `missing`. *read_at*: when the
    ledger was read for it. *needs_token*: what is asked for by POST wants one.
    """

    status: Status
    sentence: str
    headline: str
    serving: str
    next: str
    fine: bool
    read_at: dt.datetime
    waits: list[Wait]
    calendar: Calendar
    findings: list[Prescription]
    needs_token: bool


class Desk:
    """Answers for one process."""

    def __init__(self, monitor: Monitor, settings: Settings) -> None:
        self._monitor = monitor
        self._settings = settings
        self._shared = Shared(self.read)
        self._known: Judged | None = None
        self._judge_every = JUDGE_EVERY

    async def overview(self) -> Answer:
        """Return the answer. Raises what a server that is away raises."""
        return await self._shared.get()

    async def look_again(self) -> Answer:
        """Return the answer of the ledger as it is now, whatever was read before: after something was done by hand."""
        async with self._monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            self._known = await judge_window(connection, self._monitor.expectations, now=self._monitor.now())
        self.forget()
        return await self.overview()

    def forget(self) -> None:
        """Have the next one who asks told what has changed just now."""
        self._shared.forget()

    async def calendar_before(self, last: dt.date) -> Calendar:
        """Return the sessions up to *last*. Raises CalendarError where there is none."""
        calendar = self._monitor.calendar
        days = calendar.last_trading_days(SESSIONS_SHOWN, up_to=min(last, calendar.last_completed(self._monitor.now())))
        async with self._monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = await judge_sessions(
                connection, self._monitor.expectations, now=self._monitor.now(), days=days, every_set=False
            )
            work = await read_work(connection, judged, days)
        return calendar_of(judged, days, work)

    async def read(self) -> Overview:
        """Return the answer, read now. Raises the same."""
        monitor = self._monitor
        async with monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = await self.judge(connection)
            days = window(monitor.expectations, judged.ruler.now)[-SESSIONS_SHOWN:]
            work = await read_work(connection, judged, days)
            found = await _found(connection, judged, days)
        status = await monitor.status(judged)
        table = calendar_of(judged, days, work)
        found = msgspec.structs.replace(
            found, caches=status.caches, pending=await self.pending(), under_way=under_way(table)
        )
        verdict = judged.verdicts[status.serving.trading_day]
        return Overview(
            status=status,
            sentence=status.session.summary,
            headline=words.sentence(verdict, status.session.since, reasons=False),
            serving=words.serving_words(status.serving),
            next=next_words(status.next_due),
            fine=status.serving.is_fine and bool(status.caches),
            read_at=judged.ruler.now if self._known is None else self._known.ruler.now,
            waits=[*waits.of_run(status.current), *waits.of_time(verdict, judged.ruler)],
            calendar=table,
            findings=prescriptions(found),
            needs_token=self._settings.api_token is not None,
        )

    async def pending(self) -> PendingWork | None:
        """What is held and parked; None where Redis does not answer."""
        lease, most = self._settings.lease, self._settings.max_deliveries
        try:
            return await read_pending(self._monitor.redis, lease=lease, max_deliveries=most)
        except AWAY:
            return None

    async def judge(self, connection: Connection) -> Judged:
        """As this page, or the consumer beside it, last read the ledger, if that still stands; else anew."""
        now = self._monitor.now()
        days = window(self._monitor.expectations, now)
        unended = await cycles.unended_cycles(connection)
        stands = Stands(version=await read_version(connection), cycles=tuple(one.trading_day for one in unended))
        for known in (self._known, self._monitor.published()):
            if known is None or not known.verdicts.keys() >= set(days):
                continue
            if _still_stands(known, stands, now=now, judge_every=self._judge_every):
                self._known = known
                return _at(known, days, now)
        began = asyncio.get_running_loop().time()
        self._known = await judge_window(connection, self._monitor.expectations, now=now)
        took = dt.timedelta(seconds=asyncio.get_running_loop().time() - began)
        self._judge_every = max(JUDGE_EVERY, min(JUDGED_AT_LEAST_EVERY, took / SHARE_OF_TIME))
        return self._known


async def _found(connection: Connection, judged: Judged, days: Sequence[dt.date]) -> Found:
    """What the ledger has for a person to see to."""
    return Found(
        judged=judged,
        findings=await findings.find(connection),
        accepted=await findings.accepted_within(connection, days[0], days[-1]),
        letters=await dead_letters.find(connection, Selection()),
        causes=await letter_causes.read_causes(connection),
        boundaries=await boundaries.find(connection, decided=False),
    )


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """What may have changed since a judgement: the ledger's version, and for which days cycles have not ended."""

    version: str
    cycles: tuple[dt.date, ...]


def _still_stands(known: Judged, stands: Stands, *, now: dt.datetime, judge_every: dt.timedelta) -> bool:
    """Whether what was read may be said again; while a cycle is at work the ledger may have gone on a little."""
    age = now - known.ruler.now
    if tuple(one.trading_day for one in known.holdings.unended) != stands.cycles:
        return False
    if known.holdings.version != stands.version and not (stands.cycles and age < judge_every):
        return False
    return age < JUDGED_ANEW_AFTER


def _at(known: Judged, days: Sequence[dt.date], now: dt.datetime) -> Judged:
    """What the same holdings say of *days* by now: what was not due may be late since.

    A publisher has judged every session that was ever touched; those are asked only where *days* have no whole one.
    """
    ruler = ruler_of(known.holdings, known.ruler.expectations, now)
    verdicts = {day: judge(day, known.holdings, ruler) for day in days}
    some = verdicts.values()
    if not (any(one.is_whole for one in some) and any(one.state is SessionState.FINAL for one in some)):
        verdicts = {day: judge(day, known.holdings, ruler) for day in known.verdicts}
    return Judged(verdicts=verdicts, holdings=known.holdings, ruler=ruler)


async def read_work(connection: Connection, judged: Judged, days: Iterable[dt.date]) -> Work:
    """Read what is under way, and which of the cycles that brought the rows of *days* were backfills."""
    brought = {one.cycle for day in days for one in judged.verdicts[day].data_sets if one.cycle is not None}
    origins = await run_figures.origins_of(connection, sorted(brought))
    return Work(
        cycles=tuple(await cycles.unended_cycles(connection)),
        open=tuple(await run_timeline.open_work(connection)),
        backfills=frozenset(number for number, one in origins.items() if one.kind == "backfill"),
    )
