"""Makes and compares the rows of volume slots, whichever way they were fetched; says which are missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import evidence, proven_slots, slots
from consumer.postgres.slots import SlotDay
from contract import data_sets
from market.schedule import final_at
from market.volume_slots import UNKNOWN_TRADES, unknown_trades

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection, Pool
    from consumer.tasks.part import PartContext
    from consumer.tasks.terms import Terms


RANGE_BARS = "range_bars"  # as a capability of the plan is called


class SlotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan of slots is made of, read at one instant.

    *missing*: by symbol the sessions of the window that still have to be fetched. *unproven*: by session how many of
    how many rows have neither volume nor a proof that nobody traded. *by_range*: the vendor's plan gives range bars.
    Of files: the version that each session was *loaded* from last; the sessions whose file this cycle has *tried*
    without a row, and those whose file itself was *at_fault*.
    """

    missing: Mapping[str, list[dt.date]] = {}
    unproven: Mapping[dt.date, tuple[int, int]] = {}
    by_range: bool = True
    loaded: Mapping[dt.date, str] = {}
    tried: frozenset[dt.date] = frozenset()
    at_fault: frozenset[dt.date] = frozenset()


async def missing_slots(
    connection: Connection | Pool, terms: Terms, symbols: list[str] | None = None
) -> dict[str, list[dt.date]]:
    """Return per symbol the sessions of the window that still have to be fetched."""
    return await slots.missing_slots(
        connection,
        {day: terms.settled_since(day) for day in terms.sessions(terms.options.slot_sessions)},
        retry_unproven_before=terms.fresh_since(terms.day),
        symbols=symbols,
    )


def slot_day(
    day: dt.date,
    symbol: str,
    volumes: NDArray[np.float64],
    trades: NDArray[np.int64] | None = None,
    *,
    doubtful: bool = False,
) -> SlotDay:
    """Return the row of one session and symbol: traded, or asked for and not traded.

    *trades* as of SlotDay; without any that is known there are none. Where something of the symbol was set aside,
    finding no volume is *doubtful*: no proof that nobody traded.
    """
    if volumes.any():
        known = np.count_nonzero(volumes > 0) > unknown_trades(volumes, trades)
        return SlotDay(day=day, symbol=symbol, outcome="traded", volumes=volumes, trades=trades if known else None)
    return SlotDay(day=day, symbol=symbol, outcome="unproven" if doubtful else "no_trades")


async def keep_restated(connection: Connection, ctx: PartContext, rows: list[SlotDay], *, load_id: int) -> int:
    """Keep what the vendor changed in sessions that had been final: the slots that differ, before and after.

    What it says otherwise of their trades is a restatement of those. Return in how many rows volumes differ.
    """
    days = {row.day for row in rows if row.day < ctx.day}
    stored = await proven_slots.read_rows(connection, sorted(days), [row.symbol for row in rows]) if days else {}
    calendar = ctx.services.calendar
    changed: dict[tuple[str, dt.date], list[evidence.Restated]] = {}
    for row in rows:
        stands = stored.get((row.day, row.symbol))
        if stands is None or stands.fetched_at < final_at(calendar.session(row.day)):
            continue
        before, after = stands.volumes, None if row.volumes is None else row.volumes.tolist()
        if before != after:
            found = _restated_slots(row.symbol, before or [], after or [])
            changed.setdefault((data_sets.VOLUME_SLOTS, row.day), []).append(found)
        if stands.trades is not None and row.trades is not None:
            changed.setdefault((data_sets.SLOT_TRADES, row.day), []).extend(_restated_trades(row, stands.trades))
    for (data_set, day), several in changed.items():
        await evidence.keep_restatements(connection, data_set, day, several, load_id=load_id, now=ctx.services.now())
    return sum(len(several) for (data_set, _), several in changed.items() if data_set == data_sets.VOLUME_SLOTS)


def _restated_trades(row: SlotDay, before: NDArray[np.int64]) -> list[evidence.Restated]:
    """The slots of which another count was said before; what was not known is told for the first time."""
    after = before if row.trades is None else row.trades
    differing = np.flatnonzero((before != after) & (before != UNKNOWN_TRADES) & (after != UNKNOWN_TRADES)).tolist()
    if not differing:
        return []
    told = [{str(slot): int(counts[slot]) for slot in differing} for counts in (before, after)]
    return [evidence.Restated(symbol=row.symbol, change="changed", before=told[0], after=told[1])]


def _restated_slots(symbol: str, before: list[float], after: list[float]) -> evidence.Restated:
    pairs = list(zip_longest(before, after, fillvalue=0.0))
    differing = [slot for slot, (old, new) in enumerate(pairs) if old != new]
    return evidence.Restated(
        symbol=symbol,
        change="added" if not before else "removed" if not after else "changed",
        before={str(slot): pairs[slot][0] for slot in differing} if before else None,
        after={str(slot): pairs[slot][1] for slot in differing} if after else None,
    )
