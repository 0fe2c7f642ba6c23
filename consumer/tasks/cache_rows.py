"""Turns rows of tables into the texts that the caches hold, in the formats of streams.md.

A row that cannot be said, because a number in it is none or has no end, costs itself alone: it is left out and named.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.tasks.metadata_document import document_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

SESSIONS = ("sessions", "sessions_10d", "sessions_5d")
AVERAGES = ("avg_volume_30d", "avg_volume_10d", "avg_volume_5d")
_NAMED = 5


class Unspeakable(ValueError):
    """A number of this row cannot be written as JSON."""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The text of each symbol, and the symbols that have none because their row cannot be said."""

    by_symbol: dict[str, str]
    left_out: tuple[str, ...]


def texts_of(rows: Iterable[Mapping[str, Any]], text_of: Callable[[Mapping[str, Any]], str]) -> Texts:
    """Say every row that can be said."""
    texts: dict[str, str] = {}
    left_out: list[str] = []
    for row in rows:
        try:
            texts[row["symbol"]] = text_of(row)
        except Unspeakable:
            left_out.append(row["symbol"])
    return Texts(by_symbol=texts, left_out=tuple(sorted(left_out)))


def metadata_text(row: Mapping[str, Any]) -> str:
    """A row of ticker_profile as its readers expect it (metadata_document.py)."""
    _require_finite(row)
    return _encoded(lambda: document_of(row))


def average_volumes_text(row: Mapping[str, Any]) -> str:
    """The average volumes of a row of ticker_profile, all three or none."""
    values = {name: row[name] for name in (*AVERAGES, "as_of")}
    if None in values.values():
        raise Unspeakable("an average is not known")
    return _json(values | {name: row[name] for name in SESSIONS if row.get(name) is not None})


def atr_text(row: Mapping[str, Any], day: dt.date) -> str:
    """A row of ticker_atr; *day* is that of its last bar."""
    values = {"atr": row["atr"], "atr_percent": row["atr_percent"], "updated": day, "bars": row["bars_used"]}
    return _json(values)


def _json(values: Mapping[str, Any]) -> str:
    _require_finite(values)
    return _encoded(lambda: {**values, **{name: round(values[name]) for name in AVERAGES if name in values}})


def _require_finite(values: Mapping[str, Any]) -> None:
    if not all(math.isfinite(value) for value in values.values() if isinstance(value, float)):
        raise Unspeakable("a number is none")


def _encoded(made: Callable[[], Any]) -> str:
    try:
        return msgspec.json.encode(made()).decode()
    except (OverflowError, UnicodeEncodeError) as error:
        raise Unspeakable(str(error)) from error


def left_out_warning(cache: str, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Say whose rows a cache lacks because they cannot be said."""
    if not symbols:
        return ()
    named = ", ".join(symbols[:_NAMED]) + (" and others" if len(symbols) > _NAMED else "")
    return (f"{cache}: {len(symbols)} rows cannot be written and are left out: {named}",)
