"""Holds what an operator knows about the exchange before the calendar's source does.

A closure announced last night reaches the calendar by this file, not by a release. The whole file is
refused when any line of it cannot be meant: a typo here would skip a trading day in silence.

The file is TOML; every entry needs a reason, and each day may appear once:

    [[closure]]                     # no session at all
    day = 2025-01-09
    reason = "National day of mourning"

    [[early_close]]                 # regular session ends early, New York time, before 16:00
    day = 2026-07-02
    closes = 13:00:00
    reason = "Announced on 2026-06-12"

    [[open]]                        # a full regular session, whatever the calendar thinks
    day = 2026-12-24
    reason = "The exchange withdrew the early close"
"""

import datetime as dt
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from market.calendar_errors import BadOverrides
from market.small_files import read_small

REGULAR_OPEN = dt.time(9, 30)
REGULAR_CLOSE = dt.time(16, 0)


class Closure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange stays shut on `day`."""

    day: dt.date
    reason: str


class EarlyClose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The regular session of `day` ends at `closes`, New York time."""

    day: dt.date
    closes: dt.time
    reason: str


class FullSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange keeps its regular hours on `day`."""

    day: dt.date
    reason: str


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All corrections; they win over the calendar's source, and repeating what it knows is harmless."""

    closures: tuple[Closure, ...] = msgspec.field(default=(), name="closure")
    early_closes: tuple[EarlyClose, ...] = msgspec.field(default=(), name="early_close")
    full_sessions: tuple[FullSession, ...] = msgspec.field(default=(), name="open")

    def check(self, first_day: dt.date, last_day: dt.date) -> None:
        """Raises BadOverrides with every problem; the days are the calendar's horizon, both included."""
        if problems := list(self._problems(first_day, last_day)):
            raise BadOverrides(problems)

    def _problems(self, first_day: dt.date, last_day: dt.date) -> Iterator[str]:
        entries: Sequence[Closure | EarlyClose | FullSession] = (
            *self.closures,
            *self.early_closes,
            *self.full_sessions,
        )
        for day, times in Counter(entry.day for entry in entries).items():
            if times > 1:
                yield f"{day} appears {times} times: keep one entry"
        for entry in entries:
            if not first_day <= entry.day <= last_day:
                yield f"{entry.day} is outside the calendar ({first_day} to {last_day}): remove it"
            elif entry.day.weekday() >= 5:
                yield f"{entry.day} is a {entry.day:%A}: correct the date"
            if not entry.reason.strip():
                yield f"{entry.day} has no reason: say where it was announced"
        for early in self.early_closes:
            if early.closes.tzinfo is not None or not REGULAR_OPEN < early.closes < REGULAR_CLOSE:
                yield f"{early.day} closes at {early.closes}: give a New York time between 09:30 and 16:00"


def parse_overrides(text: str) -> Overrides:
    """Overrides written as in the module's docstring; BadOverrides if that is not what the text is."""
    try:
        return msgspec.convert(tomllib.loads(text), Overrides)
    except tomllib.TOMLDecodeError as error:
        raise BadOverrides([f"not TOML: {error}"]) from error
    except msgspec.ValidationError as error:
        raise BadOverrides([str(error)]) from error


def load_overrides(path: Path) -> Overrides:
    """Overrides of an operator's file; BadOverrides if it cannot be read or followed."""
    try:
        text = read_small(path).decode("utf-8")
    except (OSError, ValueError) as error:
        raise BadOverrides([f"{path} cannot be read: {error}"]) from error
    try:
        return parse_overrides(text)
    except BadOverrides as error:
        raise BadOverrides([f"{path}: {problem}" for problem in error.problems]) from error
