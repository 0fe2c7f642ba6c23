"""Weighs volume slots that came against those that stand of final sessions; what is outweighed is put aside.

A kept row counts as asked for: the vendor said something else, and that is noted; the next due time asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import evidence, proven_slots
from consumer.postgres.slots import SlotDay
from consumer.vendor.rows import Flaw, SetAside
from contract import data_sets
from market.schedule import final_at
from market.slot_weighing import may_replace
from market.volume_slots import SLOTS_PER_DAY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext
    from market.session_bars import Floats


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """The rows to store, and a line about those that were not taken."""

    rows: list[SlotDay]
    warnings: tuple[str, ...] = ()


async def weigh_slots(connection: Connection, ctx: PartContext, rows: Sequence[SlotDay], loaded: Loaded) -> Weighed:
    """Keep what stands of final sessions where *rows* say quite another thing and no daily bar bears them out."""
    finals = {day: final_at(ctx.services.calendar.session(day)) for day in {row.day for row in rows}}
    symbols = sorted({row.symbol for row in rows})
    stands = await proven_slots.read_proven(connection, finals, symbols)
    volumes = await proven_slots.bar_volumes(connection, list(finals), symbols) if stands else {}
    kept: dict[tuple[dt.date, str], SetAside] = {}
    for row in rows:
        key = (row.day, row.symbol)
        before = _slots(stands.get(key))
        # On a day whose bars are there, a symbol without one has traded nothing.
        bar = volumes[row.day].get(row.symbol, 0.0) if row.day in volumes else None
        if key in stands and not may_replace(before, _slots(row.volumes), bar):
            kept[key] = _outweighed(row, before, bar)
    if not kept:
        return Weighed(rows=list(rows))
    await proven_slots.confirm(connection, list(kept), fetched_at=loaded.fetched_at)
    for day in finals:
        own = [one for (other, _), one in kept.items() if other == day]
        await evidence.keep_set_aside(connection, data_sets.VOLUME_SLOTS, day, own, load_id=loaded.load_id)
    told = (
        f"volume_slots: {len(kept)} rows of final sessions are kept as they stand: an answer says quite another thing, "
        "and the daily bars do not bear it out"
    )
    return Weighed(rows=[row for row in rows if (row.day, row.symbol) not in kept], warnings=(told,))


def _slots(volumes: Floats | list[float] | None) -> Floats:
    return np.zeros(SLOTS_PER_DAY) if volumes is None else np.asarray(volumes, dtype=np.float64)


def _outweighed(row: SlotDay, before: Floats, bar: float | None) -> SetAside:
    came = _slots(row.volumes)
    seen = {
        "day": row.day.isoformat(),
        "stands": float(before.sum()),
        "came": float(came.sum()),
        "bar_volume": bar,
        "slots": {str(slot): float(came[slot]) for slot in np.flatnonzero(came)},
    }
    return SetAside(flaw=Flaw.OUTWEIGHED, symbol=row.symbol, evidence=seen)
