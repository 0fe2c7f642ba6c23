"""Builds what a ledger might hold, in the words of a story: loaded then, lacking that, at this plan, at that hour."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.catalogue.registry import CACHES
from consumer.data_sets.declaration import Covers
from consumer.postgres.holdings import Held, Holdings, LastAsked, Newest, Unended
from consumer.verdict.judge import judge, ruler_of
from consumer.verdict.reading import Judged, window
from consumer.verdict.ruler import JUDGED, PRESENT_SETS, Expectations
from contract import data_sets as sets
from contract.messages import ALL_TASKS
from market.schedule import Schedule, parse_rules
from market.trading_calendar import NEW_YORK, TradingCalendar

if TYPE_CHECKING:
    from consumer.verdict.states import SessionVerdict

CALENDAR = TradingCalendar()
SYMBOLS = 11_000
EVERY_TASK = tuple(task.value for task in ALL_TASKS)


def at(day: dt.date, time: str) -> dt.datetime:
    """The instant of a New York time of day."""
    return dt.datetime.combine(day, dt.time.fromisoformat(time), tzinfo=NEW_YORK).astimezone(dt.UTC)


class World:
    """A ledger whose sessions before *day* are whole and final, and what happens to it afterwards."""

    def __init__(self, day: dt.date, *, rules: str = "POST_MARKET+1h CLOSED+15m", **expectations: Any) -> None:
        self.day = day
        schedule = Schedule(CALENDAR, parse_rules(rules))
        self.expectations = Expectations(schedule=schedule, **expectations)
        before = CALENDAR.previous_trading_day(day)
        night = CALENDAR.session(before).extended_closes_at + dt.timedelta(minutes=16)
        days = CALENDAR.last_trading_days(30, up_to=before)
        self.holdings = Holdings(
            sessions={
                sets.DAILY_BARS: {each: bars(night) for each in days},
                sets.VOLUME_SLOTS: {each: slots(night) for each in days},
            },
            newest={name: Newest(trading_day=before, fetched_at=night, rows=SYMBOLS) for name in EVERY_SET},
            details=(LastAsked(since=None, asked_on=before, symbols=SYMBOLS),),
            symbols=SYMBOLS, began_at=night - dt.timedelta(days=40),
        )  # fmt: skip

    def empty(self) -> World:
        """Nobody was ever here."""
        self.holdings = Holdings()
        return self

    def change(self, **fields: Any) -> World:
        self.holdings = msgspec.structs.replace(self.holdings, **fields)
        return self

    def hold(self, data_set: str, day: dt.date, held: Held) -> World:
        """That is what stands of one data set on that day."""
        own = {**self.holdings.of(data_set), day: held}
        return self.change(sessions={**self.holdings.sessions, data_set: own})

    def bars(self, time: str, *, day: dt.date | None = None, **changes: Any) -> World:
        """The session's bars were loaded at that time of its day (or as an ISO instant)."""
        day = day or self.day
        return self.hold(sets.DAILY_BARS, day, bars(self.instant(time), **changes))

    def slots(self, time: str | None, *, day: dt.date | None = None, **changes: Any) -> World:
        """The session's slots; without a time nobody has loaded one."""
        day = day or self.day
        held = slots(self.instant(time), **changes) if time else Held(expected=SYMBOLS, loaded=0, missing=SYMBOLS)
        return self.hold(sets.VOLUME_SLOTS, day, held)

    def sets(self, time: str, *names: str) -> World:
        """Those data sets (all but bars and slots unless named) were brought up for the day at that time."""
        newest = Newest(trading_day=self.day, fetched_at=self.instant(time), rows=SYMBOLS)
        return self.change(newest={**self.holdings.newest, **dict.fromkeys(names or EVERY_SET, newest)})

    def loaded(self, time: str) -> World:
        """A whole cycle brought everything at that time."""
        return self.bars(time).slots(time).sets(time)

    def at_work(self, *, tasks: tuple[str, ...] = EVERY_TASK) -> World:
        """A cycle for the day runs or waits."""
        return self.change(unended=(Unended(trading_day=self.day, tasks=tasks, first_day=None),))

    def without(self, **capabilities: bool) -> World:
        """The vendor has refused these as no part of the plan."""
        return self.change(capabilities={name: not lacking for name, lacking in capabilities.items()})

    def instant(self, time: str) -> dt.datetime:
        return dt.datetime.fromisoformat(time) if "T" in time else at(self.day, time)

    def judged(self, time: str) -> Judged:
        """What is said at that time."""
        now = self.instant(time)
        ruler = ruler_of(self.holdings, self.expectations, now)
        days = sorted({*window(self.expectations, now), *self.holdings.of(sets.DAILY_BARS)})
        return Judged(
            verdicts={day: judge(day, self.holdings, ruler) for day in days}, holdings=self.holdings, ruler=ruler
        )

    def verdict(self, time: str) -> SessionVerdict:
        return self.judged(time).verdicts[self.day]


COMPUTED_SETS = tuple(one.name for one in JUDGED if one.covers is Covers.NEWEST_SESSION)
EVERY_SET = (*PRESENT_SETS, *COMPUTED_SETS, *CACHES)


def bars(fetched_at: dt.datetime, **changes: Any) -> Held:
    held = Held(expected=SYMBOLS, loaded=SYMBOLS, oldest=fetched_at, newest=fetched_at, source="massive:rest")
    return msgspec.structs.replace(held, **changes)


def slots(fetched_at: dt.datetime, *, missing: int = 0, unproven: int = 0, **changes: Any) -> Held:
    held = Held(
        expected=SYMBOLS, loaded=SYMBOLS - missing - unproven, missing=missing, unproven=unproven, oldest=fetched_at,
        newest=fetched_at, source="massive:rest", kept=True,
    )  # fmt: skip
    return msgspec.structs.replace(held, **changes)
