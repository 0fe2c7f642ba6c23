"""Keeps the evidence of what was not loaded as it came: rows set aside, and rows that the vendor restated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.massive.rows import SetAside
    from consumer.postgres.pool import Connection

BAR_FIELDS = ("open", "high", "low", "close", "volume", "vwap", "trades_count")


class Restated(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a final session that the vendor gives otherwise now: added, removed or changed."""

    symbol: str
    change: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def differences(
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
        [(data_set, day, row.symbol, row.change, row.before, row.after, load_id, now) for row in rows],
    )


async def keep_set_aside(
    connection: Connection, data_set: str, day: dt.date, rows: Sequence[SetAside], *, load_id: int
) -> None:
    """Keep rows that were set aside, as they came, with the reason."""
    await connection.executemany(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence) VALUES ($1, $2, $3, $4, $5)",
        [(load_id, data_set, day, str(row.flaw), json.dumps(row.row, default=str)) for row in rows],
    )
