"""Keeps the evidence of what was not loaded as it came: rows and fields set aside, and rows that the vendor restated.

JSON knows no NaN and no infinity: they are kept as text.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from process.redaction import redacted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.postgres.pool import Connection
    from consumer.vendor.rows import SetAside

# Enough to see what came; a name of a million characters is none.
_LONGEST_TEXT = 200
_LONGEST_EVIDENCE = 4_000
BAR_FIELDS = ("open", "high", "low", "close", "volume", "vwap", "trades_count")


class Restated(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a final session that the vendor gives otherwise now: added, removed or changed."""

    symbol: str
    change: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def changes_of(
    before: Mapping[str, tuple[float | int | None, ...]], after: Mapping[str, tuple[float | int | None, ...]]
) -> list[Restated]:
    """Compare two loads of one session, each by symbol with the values of BAR_FIELDS."""
    found = []
    for symbol in sorted(before.keys() | after.keys()):
        old, new = before.get(symbol), after.get(symbol)
        if old != new:
            change = "added" if old is None else "removed" if new is None else "changed"
            found.append(Restated(symbol=symbol, change=change, before=_named(old), after=_named(new)))
    return found


def _named(values: tuple[float | int | None, ...] | None) -> dict[str, Any] | None:
    return None if values is None else dict(zip(BAR_FIELDS, values, strict=True))


async def keep_restatements(
    connection: Connection, data_set: str, day: dt.date, rows: Sequence[Restated], *, load_id: int, now: dt.datetime
) -> None:
    """Keep what stood before beside what stands now."""
    await connection.executemany(
        "INSERT INTO restatement (data_set, trading_day, symbol, change, before, after, load_id, found_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (data_set, day, row.symbol, row.change, _storable(row.before), _storable(row.after), load_id, now)
            for row in rows
        ],
    )


async def keep_set_aside(
    connection: Connection, data_set: str, day: dt.date, rows: Sequence[SetAside], *, load_id: int
) -> None:
    """Keep what was set aside, with the reason: whole rows, and single fields of rows that were taken."""
    await connection.executemany(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, symbol, field, evidence) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(load_id, data_set, day, str(row.flaw), row.symbol, row.field, evidence_json(row.evidence)) for row in rows],
    )


def evidence_json(evidence: object) -> str:
    """The evidence as JSON, cut to what a person needs to see."""
    text = json.dumps(_storable(evidence), default=str, allow_nan=False)
    return text if len(text) <= _LONGEST_EVIDENCE else json.dumps(f"{text[:_LONGEST_EVIDENCE]}…")


def _escaped(text: str) -> str:
    """With what PostgreSQL takes out of no JSON, NUL and halves of surrogate pairs, written as escapes."""
    return redacted(text).replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _storable(value: Any, depth: int = 4) -> Any:
    """The value as JSON can say it: no number without an end, no text without end, no depth without end."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        # A float holds no more than some 2**1024: beyond, float() raises.
        case int() if abs(value) > 2**63:
            return float(value) if abs(value) < 2**1000 else "a number without end"
        case str() if len(value) > _LONGEST_TEXT:
            return f"{_escaped(value[:_LONGEST_TEXT])}… ({len(value)} characters)"
        case str():
            return _escaped(value)
        case dict() | list() if depth == 0:
            return "…"
        case dict():
            return {_storable(str(name)): _storable(below, depth - 1) for name, below in value.items()}
        case list():
            return [_storable(below, depth - 1) for below in value[:_LONGEST_TEXT]]
        case _:
            return value
