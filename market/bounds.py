"""Says what a value can be: the kinds of bounds, and how a value is held against one.

Pure data and one function. Which field has which bound stands in `bounded_fields`; the readers of the vendor's answers
and the CHECK constraints of the tables both come from there. A number that is none (NaN) is within no bound.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """From *least* to *most*, both included; with *or_zero* also nothing at all, which *least* leaves out."""

    unit: str
    least: float
    most: float
    or_zero: bool = False
    whole: bool = False


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One to *longest* characters that match *pattern* as a whole; written so that PostgreSQL reads it alike."""

    longest: int
    pattern: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A date from *first* to *days_ahead* after the day on which the vendor is asked."""

    first: dt.date
    days_ahead: int


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """An RFC 3339 instant, with *or_day* also its date alone, in the same limits as a Day."""

    first: dt.date
    days_ahead: int
    or_day: bool = False


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """True or false."""


Bound: TypeAlias = Number | Text | Day | Instant | Flag
Check: TypeAlias = Callable[[Any, dt.date], bool]

#: Without control characters, and without halves of surrogate pairs, which are no characters.
PRINTABLE: Final = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def check_of(bound: Bound) -> Check:
    """Return the function that says whether a value of the right type, asked for on that day, is within *bound*."""
    match bound:
        case Number():
            return _number_check(bound)
        case Text():
            matches = re.compile(bound.pattern).fullmatch
            return lambda value, _: len(value) <= bound.longest and matches(value) is not None
        case Day():
            return lambda value, asked_on: _is_between(bound, value, asked_on)
        case Instant():
            return lambda value, asked_on: _is_instant_between(bound, value, asked_on)
        case Flag():
            return lambda value, _: isinstance(value, bool)


def _number_check(bound: Number) -> Check:
    least, most, or_zero = bound.least, bound.most, bound.or_zero
    # Written so that NaN, which compares false with everything, fails.
    return lambda value, _: least <= value <= most or (or_zero and value == 0)


def is_within(bound: Bound, value: Any, asked_on: dt.date) -> bool:
    """Whether a value of the right type, asked for on that day, is within *bound*."""
    return check_of(bound)(value, asked_on)


def latest_day(bound: Day | Instant, asked_on: dt.date) -> dt.date:
    """The last date that *bound* lets through on that day."""
    return dt.date.fromordinal(min(asked_on.toordinal() + bound.days_ahead, dt.date.max.toordinal()))


def instant_of(text: str) -> dt.datetime | None:
    """The instant that the vendor writes as RFC 3339, UTC where it does not say; None where it is none."""
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _is_between(bound: Day | Instant, day: dt.date, asked_on: dt.date) -> bool:
    return bound.first <= day <= latest_day(bound, asked_on)


def _is_instant_between(bound: Instant, value: str | dt.datetime, asked_on: dt.date) -> bool:
    if isinstance(value, str) and len(value) <= len("2025-11-11") and not bound.or_day:
        return False
    at = instant_of(value) if isinstance(value, str) else value
    return at is not None and _is_between(bound, at.date(), asked_on)
