"""Declares the volume slots: five-minute volumes, a row a session and symbol, by range requests or from flat files."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from consumer.data_sets.daily_bars import sound_sessions
from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind, Piecemeal
from consumer.data_sets.market_size import USUAL_MARKET
from consumer.data_sets.tables import Column, Kept, Table
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from consumer.tasks import slot_files, volume_slots
from consumer.tasks.passes import slots_a_pass
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import SYMBOL, TRADES, VOLUME

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.declaration import Excuses
    from consumer.data_sets.situation import Situation
    from consumer.postgres.pool import Connection
    from consumer.tasks.slot_rows import SlotFacts

#: Sessions of five-minute bars that one answer holds (50,000 minutes, 960 a session).
SESSIONS_A_REQUEST = 52
#: A few symbols that traded by their bar and have no slot are the vendor's oddities; more are a hole.
UNPROVEN_TOLERATED = 0.01


async def _read(connection: Connection, situation: Situation) -> SlotFacts:
    return await volume_slots.read_facts(connection, situation.terms)


def _missing(situation: Situation) -> list[PartPlan]:
    """Whose slots are wanted is known by the listing: where that is planned, a part of the pass plans them."""
    if situation.is_planned(names.UNIVERSE):
        return [PartPlan(task=TaskName.VOLUME_SLOTS, part="plan")]
    return volume_slots.plan(situation.facts(names.VOLUME_SLOTS), situation.files, situation.terms.options)


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    sessions = situation.terms.sessions(situation.terms.options.slot_sessions)
    if not situation.is_known(names.UNIVERSE):
        return {Question.RANGE_BARS: USUAL_MARKET * math.ceil(len(sessions) / SESSIONS_A_REQUEST)}
    asked = 0
    for days in situation.facts(names.VOLUME_SLOTS).missing.values():
        between = situation.terms.calendar.trading_days(days[0], days[-1])
        asked += math.ceil(len(between) / SESSIONS_A_REQUEST)
    return {Question.RANGE_BARS: asked}


def _gap(situation: Situation, parts: Sequence[PartPlan], excuses: Excuses) -> list[str]:
    """A line a session that lacks symbols, and one for each with more unproven ones than are the vendor's oddities."""
    facts: SlotFacts = situation.facts(names.VOLUME_SLOTS)
    because = excuses.because(TaskName.VOLUME_SLOTS, "batch", "file")
    counts = Counter(day for days in facts.missing.values() for day in days if day not in excuses.later_days)
    lines = [f"volume_slots {day}: {count} symbols{because}" for day, count in sorted(counts.items())] if parts else []
    # Without the day's bars nothing proves that nobody traded: their own line says it already.
    sessions = situation.terms.sessions(situation.terms.options.ohlc_sessions)
    bars_lack = set(sessions) - sound_sessions(situation, sessions)
    said = excuses.later_days | (bars_lack if TaskName.OHLC_DAILY in situation.terms.cycle.tasks else frozenset())
    unproven = {day: seen for day, seen in facts.unproven.items() if day not in said}
    return lines + unproven_lines(unproven)


def unproven_lines(unproven: Mapping[dt.date, tuple[int, int]]) -> list[str]:
    """Say which sessions have too many symbols without a slot that the daily bars do not prove to be quiet.

    A few are the vendor's oddities (trades that count for the day and not for a minute); many are a hole.
    """
    return [
        f"volume_slots {day}: {count} of {rows} symbols have no slot and no proof that nobody traded"
        for day, (count, rows) in unproven.items()
        if count > UNPROVEN_TOLERATED * rows
    ]


SESSION_SLOTS = Table(
    name="session_slots",
    kept=Kept.MARKET_DATA,
    day_column="trading_date",
    columns={
        "trading_date": Column("date", meaning="the session"),
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "outcome": Column("text", meaning="traded, no_trades (proven by the bars), or unproven"),
        "volumes": Column(
            "double precision[]",
            bound=VOLUME,
            meaning="192 slots of five minutes from 04:00 New York; null where nobody traded",
        ),
        "fetched_at": Column("timestamp with time zone", meaning="when it was fetched, UTC"),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
        "trades": Column(
            "integer[]",
            bound=TRADES,
            meaning="of how many trades each of volumes is made; null, whole or of a slot, where it is not known",
        ),
        "trades_unknown": Column(
            "smallint",
            meaning="in how many slots with volume it was not said; null: fetched by a release that kept none",
        ),
    },
)

VOLUME_SLOTS = DataSet(
    name=names.VOLUME_SLOTS,
    task=TaskName.VOLUME_SLOTS,
    covers=Covers.SYMBOL_AND_SESSION,
    meaning="five-minute volumes, 04:00 to 20:00 New York, also where nobody traded",
    kinds=(
        PartKind(name="plan", run=volume_slots.plan_parts, after=(names.UNIVERSE,)),
        PartKind(
            name="batch",
            run=volume_slots.load_batch,
            stage="slots",
            asked=Asked.VENDOR,
            asks=Question.RANGE_BARS,
            shows=Capability.RANGE_BARS,
        ),
        PartKind(name="file", run=slot_files.load_flat_file, stage="slots", asked=Asked.BUCKET),
    ),
    needs_known=(names.UNIVERSE,),
    window="slot_sessions",
    missing=_missing,
    reads=_read,
    known_later=(names.UNIVERSE,),
    cost=_cost,
    gap=_gap,
    in_verdict=True,
    piecemeal=Piecemeal(kind="batch", a_pass=slots_a_pass),
    tables=(SESSION_SLOTS,),
)
