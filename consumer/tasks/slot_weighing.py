"""Weighs volume slots that came against those that stand of final sessions; what is outweighed is put aside.

A kept row counts as asked for: the vendor said something else, and that is noted; the next due time asks again. Of a
row that is taken, the counts of trades are weighed by themselves.
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
from market.slot_weighing import Slots, may_replace, weigh_trades
from market.volume_slots import SLOTS_PER_DAY, UNKNOWN_TRADES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.pool import Connection
    from consumer.postgres.proven_slots import StoredSlots
    from consumer.tasks.part import PartContext
    from market.session_bars import Floats

_Key = tuple["dt.date", str]


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
    kept: dict[_Key, SetAside] = {}
    for row in rows:
        key = (row.day, row.symbol)
        if key not in stands:
            continue
        before = _slots(stands[key].volumes)
        # On a day whose bars are there, a symbol without one has traded nothing.
        bar = volumes[row.day].get(row.symbol, 0.0) if row.day in volumes else None
        if not may_replace(before, _slots(row.volumes), bar):
            kept[key] = _outweighed(row, before, bar)
    taken = await _weigh_trades(connection, [row for row in rows if (row.day, row.symbol) not in kept], stands, loaded)
    if not kept:
        return taken
    await proven_slots.confirm(connection, list(kept), fetched_at=loaded.fetched_at)
    await _put_aside(connection, data_sets.VOLUME_SLOTS, kept, loaded)
    told = (
        f"volume_slots: {len(kept)} rows of final sessions are kept as they stand: an answer says quite another thing, "
        "and the daily bars do not bear it out"
    )
    return Weighed(rows=taken.rows, warnings=(told, *taken.warnings))


async def _weigh_trades(
    connection: Connection, rows: Sequence[SlotDay], stands: Mapping[_Key, StoredSlots], loaded: Loaded
) -> Weighed:
    """Have the rows keep counts that stand, where an answer says fewer trades and no less volume, or none at all."""
    counted = {key: one for key, one in stands.items() if one.trades is not None}
    weighed, fallen = _weighed(rows, counted, {})
    if fallen:
        # Only a count that falls wants to know what the daily bar says, and it is rare.
        weighed, fallen = _weighed(rows, counted, await proven_slots.bar_trades(connection, list(fallen)))
    await _put_aside(connection, data_sets.SLOT_TRADES, fallen, loaded)
    told = (
        f"slot_trades: {len(fallen)} rows of final sessions keep the trades that stand: an answer says fewer trades of "
        "no less volume, and the daily bars do not bear it out"
    )
    return Weighed(rows=weighed, warnings=(told,) if fallen else ())


def _weighed(
    rows: Iterable[SlotDay], counted: Mapping[_Key, StoredSlots], bar_trades: Mapping[_Key, int]
) -> tuple[list[SlotDay], dict[_Key, SetAside]]:
    """The rows with the trades to store, and what of their own counts is outweighed."""
    weighed, fallen = [], dict[_Key, SetAside]()
    for row in rows:
        key = (row.day, row.symbol)
        if row.volumes is None or key not in counted:
            weighed.append(row)
            continue
        before = Slots(volumes=_slots(counted[key].volumes), trades=_counts(counted[key].trades))
        came = Slots(volumes=row.volumes, trades=_counts(row.trades))
        trades, lost = weigh_trades(before, came, bar_trades.get(key))
        known = bool((trades[row.volumes > 0] != UNKNOWN_TRADES).any())
        weighed.append(msgspec.structs.replace(row, trades=trades if known else None))
        if lost.any():
            seen = {"day": row.day.isoformat(), "stands": _named(before, lost), "came": _named(came, lost)}
            fallen[key] = SetAside(flaw=Flaw.OUTWEIGHED, symbol=row.symbol, field="trades", evidence=seen)
    return weighed, fallen


def _named(slots: Slots, which: NDArray[np.bool_]) -> dict[str, int]:
    return {str(slot): int(slots.trades[slot]) for slot in np.flatnonzero(which)}


async def _put_aside(connection: Connection, data_set: str, aside: Mapping[_Key, SetAside], loaded: Loaded) -> None:
    for day in sorted({day for day, _ in aside}):
        own = [one for (other, _), one in aside.items() if other == day]
        await evidence.keep_set_aside(connection, data_set, day, own, load_id=loaded.load_id)


def _slots(volumes: Floats | list[float] | None) -> Floats:
    return np.zeros(SLOTS_PER_DAY) if volumes is None else np.asarray(volumes, dtype=np.float64)


def _counts(trades: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return np.full(SLOTS_PER_DAY, UNKNOWN_TRADES, dtype=np.int64) if trades is None else trades


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
