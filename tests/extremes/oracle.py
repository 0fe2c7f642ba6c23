"""Says what must become of a field with an extreme in it, from the numbers of the table of bounds alone.

It shares no code with the decoders: a value is read with the plainest means of Python and compared.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import TYPE_CHECKING, Any

from market.bounded_fields import ENDPOINTS
from market.bounds import Day, Flag, Instant, Number, Text

if TYPE_CHECKING:
    from tests.extremes.values import Case

TODAY = dt.date(2025, 11, 11)
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}")
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")  # a number in quotes is a number
LOST = object()  # what is there and must not be kept


def reading(raw: bytes) -> Any:
    """The value as Python's own reader has it."""
    try:
        return json.loads(raw.decode("utf-8", "surrogateescape"), strict=False)
    except ValueError:  # so many digits that Python refuses them, or no JSON
        return math.inf if raw.isdigit() else LOST


def kept(case: Case, field: str) -> Any:
    """The value that must be kept of *field*: None where there is none, LOST where it must not be kept."""
    raw = case.raw.get(field)
    return None if raw is None else kept_of(case.endpoint, field, raw)


def kept_of(endpoint: str, field: str, raw: bytes) -> Any:
    """The same of the bytes that stand in a field."""
    value = reading(raw)
    if value is None or value is LOST:
        return value
    match ENDPOINTS[endpoint][field].bound:
        case Number() as bound:
            return _number(value, bound)
        case Text() as bound:
            fits = isinstance(value, str) and len(value) <= bound.longest and re.fullmatch(bound.pattern, value)
            return value if fits else LOST
        case Day() as bound:
            return _day(value, bound)
        case Instant() as bound:
            return _instant(value, bound)
        case Flag():
            return value if isinstance(value, bool) else _flag(value)


def _number(value: Any, bound: Number) -> float | object:
    if isinstance(value, bool | list | dict):
        return LOST
    if isinstance(value, float) and bound.whole and value.is_integer() and abs(value) > 2**62:
        return LOST
    if isinstance(value, str) and JSON_NUMBER.fullmatch(value) is None:
        return LOST
    try:
        number = float(value)
    except OverflowError:
        return LOST
    if bound.whole and not number.is_integer():
        return LOST
    inside = bound.least <= number <= bound.most or (bound.or_zero and number == 0)
    return number if inside else LOST


def _flag(value: Any) -> bool | object:
    """A number or a text that says yes or no is read as such."""
    says = {"0": False, "1": True}.get(str(value), LOST)
    return says if isinstance(value, int | str) else LOST


def _day(value: Any, bound: Day | Instant) -> dt.date | object:
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\d", value) is None:
        return LOST
    try:
        day = dt.date.fromisoformat(value)
    except ValueError:
        return LOST
    return day if bound.first <= day and (day - TODAY).days <= bound.days_ahead else LOST


def _instant(value: Any, bound: Instant) -> dt.datetime | object:
    if not isinstance(value, str):
        return LOST
    day = _day(value[:10], bound)
    rest = re.fullmatch(r"(?:T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ)?", value[10:])
    if day is LOST or rest is None or (rest[1] is None and not bound.or_day):
        return LOST
    whole = value if rest[1] else f"{value}T00:00:00Z"
    return dt.datetime.fromisoformat(whole)


def row(case: Case) -> dict[str, Any] | None:
    """All fields as they must be kept; None where the row must not be."""
    if case.extreme is not None and case.extreme.name == "no JSON":
        return None
    fields = {name: kept(case, name) for name in ENDPOINTS[case.endpoint]}
    required = [name for name, field in ENDPOINTS[case.endpoint].items() if field.required]
    if any(fields[name] is None or fields[name] is LOST for name in required):
        return None
    return fields


def lost(case: Case) -> tuple[str | None, str | None] | None:
    """(symbol, field) of what must be set aside of the row: the whole row has no field; None: nothing."""
    symbol = case.symbol
    if (own := next((name for name in ("T", "ticker") if name in ENDPOINTS[case.endpoint]), None)) is not None:
        value = kept(case, own)
        symbol = value if isinstance(value, str) else None  # type: ignore[assignment]
    if case.extreme is not None and case.extreme.name == "no JSON":
        return None, None
    fields = row(case)
    if fields is None:
        return symbol, None
    return next(((symbol, name) for name, value in fields.items() if value is LOST), None)
