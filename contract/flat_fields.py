"""Turns typed values into strings a person can type at redis-cli, and such strings back into values.

What cannot be read is refused with a sentence that names the field, the value and the cure; the
messages made of these fields live in contract/messages.py. Nothing is guessed and no value defaults here.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

TRUE_WORDS = ("true", "1", "yes")
FALSE_WORDS = ("false", "0", "no")
LONGEST_QUOTE = 80

# date.fromisoformat() also takes 20251111 and 2025-W46-2, datetime.fromisoformat() naive and
# space-separated ones, int() takes 1_000 and digits of other scripts: the patterns close those doors.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


class BadField(ValueError):
    """One field cannot be read; the text says which, what it held and what to write instead."""


def read_field(name: str, text: str, wanted: Any) -> Any:
    """The value of type *wanted* (of `X | None`: X) that the non-blank *text* spells."""
    wanted = required_type(wanted)
    if issubclass(wanted, StrEnum):
        return _read_word(name, text, wanted)
    return _READERS[wanted](name, text)


def write_field(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            # Always UTC: the same instant is the same text, whoever wrote it.
            return value.astimezone(dt.UTC).isoformat()
        case dt.date():
            return value.isoformat()
        case str() | int():
            return str(value)
    raise TypeError(f"no flat form for {type(value).__name__}")


def required_type(wanted: Any) -> Any:
    """X of `X | None`; any other type as it is."""
    if isinstance(wanted, UnionType):
        return next(member for member in get_args(wanted) if member is not NoneType)
    return wanted


def quote(text: str) -> str:
    shown = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"
    return repr(shown)


def _read_day(name: str, text: str) -> dt.date:
    if _DAY.fullmatch(text):
        try:
            return dt.date.fromisoformat(text)
        except ValueError as error:
            raise BadField(f"{name} {quote(text)} is not a date of the calendar: {error}") from error
    raise BadField(f"{name} {quote(text)} is not a date: write YYYY-MM-DD")


def _read_instant(name: str, text: str) -> dt.datetime:
    if _INSTANT.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
        except (ValueError, OverflowError) as error:
            raise BadField(f"{name} {quote(text)} is no instant of the calendar: {error}") from error
    cure = "write RFC 3339 with an offset, like 2025-11-11T16:00:00-05:00"
    raise BadField(f"{name} {quote(text)} is not an instant: {cure}")


def _read_flag(name: str, text: str) -> bool:
    word = text.lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise BadField(f"{name} {quote(text)} is neither yes nor no: write true or false")


def _read_whole_number(name: str, text: str) -> int:
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    raise BadField(f"{name} {quote(text)} is not a whole number: write digits only")


def _read_word(name: str, text: str, words: type[StrEnum]) -> StrEnum:
    try:
        return words(text)
    except ValueError as error:
        raise BadField(f"{name} {quote(text)} is unknown: one of {', '.join(words)}") from error


def _read_text(name: str, text: str) -> str:
    return text


_READERS: dict[type, Callable[[str, str], object]] = {
    dt.date: _read_day,
    dt.datetime: _read_instant,
    bool: _read_flag,
    int: _read_whole_number,
    str: _read_text,
}
