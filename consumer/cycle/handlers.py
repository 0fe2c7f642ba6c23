"""Maps the name of a part to what runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.cycle.finish import finish_cycle
from consumer.cycle.plan import plan_cycle
from consumer.delivery.errors import DataRejected
from consumer.tasks import (
    atr,
    calendar_check,
    derived_figures,
    metadata_enrich,
    ohlc_daily,
    plausible,
    recheck,
    redis_sync,
    slot_files,
    splits,
    volume_slots,
)

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartId
    from consumer.tasks.part import Handler

HANDLERS: dict[tuple[str, str], Handler] = {
    ("cycle", "plan"): plan_cycle,
    ("cycle", "finish"): finish_cycle,
    ("ohlc_daily", "bars"): ohlc_daily.load_session_bars,
    ("ohlc_daily", "plausible"): plausible.judge_sessions,
    ("ohlc_daily", "recheck"): recheck.recheck,
    ("ohlc_daily", "splits"): splits.load_splits,
    ("ohlc_daily", "split_check"): splits.check_splits,
    ("ohlc_daily", "atr"): atr.compute_atr,
    ("volume_slots", "plan"): volume_slots.plan_parts,
    ("volume_slots", "batch"): volume_slots.load_batch,
    ("volume_slots", "file"): slot_files.load_flat_file,
    ("volume_slots", "prove"): volume_slots.prove,
    ("metadata_enrich", "universe"): metadata_enrich.load_universe,
    ("metadata_enrich", "floats"): metadata_enrich.load_floats,
    ("metadata_enrich", "calendar"): calendar_check.check_calendar,
    ("metadata_enrich", "plan"): metadata_enrich.plan_parts,
    ("metadata_enrich", "details"): metadata_enrich.load_details,
    ("metadata_enrich", "derived"): derived_figures.compute_derived,
}


def handler_of(part: PartId) -> Handler:
    """Return the handler of *part*. Raises DataRejected where there is none."""
    if part.task == "redis_sync":
        return redis_sync.sync_cache
    try:
        return HANDLERS[part.task, part.part.partition(":")[0]]
    except KeyError as error:
        raise DataRejected(f"part {part.part!r} of {part.task} is unknown: leave part and cycle out") from error
