"""Says when maintenance falls due, and since when a day's data must have been fetched to count as fresh.

Pure: `now` is an argument. A rule is a session transition plus an offset; a day's data is final once its extended
session has ended and the vendor's bars have settled.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import msgspec

from market.session import SessionPhase

if TYPE_CHECKING:
    from market.session import TradingSession
    from market.trading_calendar import TradingCalendar

# Late trades and corrections keep changing a day's bars until some minutes after the extended session.
SETTLING_TIME = dt.timedelta(minutes=15)
_RULE = re.compile(r"([A-Z_]+)(?:\+(.+))?")
_OFFSET = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)
_PHASES = (SessionPhase.POST_MARKET, SessionPhase.CLOSED)


class BadRule(ValueError):
    """A schedule text that cannot be read; the message names the cure."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle is due *offset* after the session changes to *phase*; *text* is how the operator wrote it."""

    phase: SessionPhase
    offset: dt.timedelta
    text: str


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one trading day."""

    due_at: dt.datetime
    trading_day: dt.date
    rule: Rule


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read e.g. ``POST_MARKET+1h CLOSED+15m``. Raises BadRule."""
    rules = tuple(_parse_rule(word) for word in text.split())
    if not rules:
        raise BadRule("no rule: write for example POST_MARKET+1h CLOSED+15m")
    if len({(rule.phase, rule.offset) for rule in rules}) < len(rules):
        raise BadRule("the same rule twice: write each once")
    return rules


def _parse_rule(word: str) -> Rule:
    match = _RULE.fullmatch(word)
    if match is None or match[1] not in _PHASES:
        raise BadRule(f"'{word}' is no rule: write POST_MARKET or CLOSED, then an offset such as +1h or +15m")
    offset = _OFFSET.fullmatch(match[2] or "0s")
    if offset is None:
        raise BadRule(f"'{word}' has an unreadable offset: write for example +1h, +15m or +1h30m")
    hours, minutes, seconds = (int(digits or 0) for digits in offset.groups())
    length = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if length > dt.timedelta(hours=12):
        raise BadRule(f"'{word}' is more than 12h after the transition: the next session would begin before it")
    return Rule(phase=SessionPhase(match[1]), offset=length, text=word)


def due_time(rule: Rule, session: TradingSession) -> dt.datetime:
    """When *rule* falls due on the day of *session*."""
    starts = {SessionPhase.POST_MARKET: session.closes_at, SessionPhase.CLOSED: session.extended_closes_at}
    return starts[rule.phase] + rule.offset


def final_at(session: TradingSession) -> dt.datetime:
    """The instant from which a fetch of this session's bars is final rather than provisional."""
    return session.extended_closes_at + SETTLING_TIME


class Schedule:
    """The rules, applied to a calendar."""

    def __init__(self, calendar: TradingCalendar, rules: tuple[Rule, ...]) -> None:
        self.calendar = calendar
        self.rules = rules

    def occurrences(self, day: dt.date) -> list[Occurrence]:
        """Return what falls due for trading day *day*, in order of time."""
        session = self.calendar.session(day)
        found = [Occurrence(due_at=due_time(rule, session), trading_day=day, rule=rule) for rule in self.rules]
        return sorted(found, key=lambda occurrence: occurrence.due_at)

    def latest_due(self, now: dt.datetime) -> Occurrence:
        """Return the newest occurrence that is due at *now*: it brings earlier days up to date as well."""
        day = self.calendar.last_completed(now)
        while True:
            due = [occurrence for occurrence in self.occurrences(day) if occurrence.due_at <= now]
            if due:
                return due[-1]
            day = self.calendar.previous_trading_day(day)

    def next_due(self, now: dt.datetime) -> Occurrence:
        """Return the first occurrence after *now*. Raises OutsideHorizon when the calendar knows none."""
        day = self.calendar.last_completed(now)
        while True:
            ahead = [occurrence for occurrence in self.occurrences(day) if occurrence.due_at > now]
            if ahead:
                return ahead[0]
            day = self.calendar.next_trading_day(day)

    def fresh_since(self, day: dt.date, now: dt.datetime) -> dt.datetime:
        """Return the instant since which data of *day* must have been fetched; what is older is provisional.

        It moves at each due time of the day's own rules and when the session becomes final, so a repeated request
        in between finds everything fresh and fetches nothing.
        """
        session = self.calendar.session(day)
        points = [occurrence.due_at for occurrence in self.occurrences(day)] + [final_at(session)]
        return max((point for point in points if point <= now), default=session.pre_market_opens_at)

    def settled_since(self, day: dt.date, now: dt.datetime, *, restate: int) -> dt.datetime:
        """The same for data that the vendor restates: fetched again when each of *restate* later sessions is final.

        Late trades and corrections reach a day's bars on the evenings after it.
        """
        since = self.fresh_since(day, now)
        later = day
        for _ in range(restate):
            session = self.calendar.session_after(later)
            later = session.day
            if (final := final_at(session)) > now:
                break
            since = max(since, final)
        return since

    def give_up_at(self, day: dt.date, now: dt.datetime) -> dt.datetime:
        """Return when a cycle for *day* opened at *now* stops waiting: when the next session opens."""
        candidate = self.calendar.session_after(day)
        while candidate.opens_at <= now:
            candidate = self.calendar.session_after(max(candidate.day, now.date() - dt.timedelta(days=2)))
        return candidate.opens_at
