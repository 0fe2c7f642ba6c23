"""Computes what a trading day's data lacks, and plans only that.

Expected (sessions in the windows x data sets x universe) is held against what stands: what is missing, provisional
(fetched before its session was final) or stale becomes a part. The same function plans the first pass, a later pass, a
repeated request, a forecast and, at the end of a pass, says what is still missing. Pure: a function of the situation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import BY_NAME, CACHES, DATA_SETS, placed
from consumer.data_sets import missing
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from contract import data_sets as names
from contract.messages import TaskName

if TYPE_CHECKING:
    import datetime as dt

    from consumer.data_sets.declaration import DataSet
    from consumer.data_sets.situation import Situation
    from consumer.tasks.redis_sync import Cache


def missing_parts(situation: Situation) -> list[PartPlan]:
    """Return the parts that would bring the cycle's tasks up to date; none when everything is there."""
    planned: dict[str, list[PartPlan]] = {}
    for one in DATA_SETS:
        if one.task not in situation.terms.cycle.tasks or one.name in situation.left_out:
            continue
        for name in one.needs_known:
            if name not in planned and not situation.is_known(name):
                planned[name] = [missing.whole(BY_NAME[name])]
        found = missing.parts_of(one, with_planned(situation, planned))
        if found:
            planned[one.name] = found
    parts = [part for some in planned.values() for part in some]
    if TaskName.REDIS_SYNC in situation.terms.cycle.tasks:
        parts += _caches(with_planned(situation, planned))
    return [placed(part) for part in parts]


def with_planned(situation: Situation, planned: dict[str, list[PartPlan]]) -> Situation:
    """The same situation, with what has been planned of it."""
    return msgspec.structs.replace(situation, planned=frozenset(planned))


def facts_wanted(situation: Situation) -> list[DataSet]:
    """The data sets whose own facts a plan of *situation*, which has none yet, will look at.

    Not where the plan leaves it to a part of the pass, after a listing for example: what a night's first plan does not
    look at, it does not read.
    """
    later = {
        one.name
        for one in DATA_SETS
        if one.task in situation.terms.cycle.tasks and one.reads is None and missing.parts_of(one, situation)
    }
    later |= {name for one in DATA_SETS for name in one.needs_known if not situation.is_known(name)}
    wanted = [one for one in DATA_SETS if one.reads is not None and one.task in situation.terms.cycle.tasks]
    return [one for one in wanted if later.isdisjoint(one.known_later)]


def newer_caches(situation: Situation) -> dt.date | None:
    """Return the day the caches stand at, if that is later than the cycle's: they are never taken back in time."""
    days = [newest.trading_day for name, newest in situation.holdings.newest.items() if name in CACHES]
    return max((day for day in days if day > situation.terms.day), default=None)


def _caches(situation: Situation) -> list[PartPlan]:
    if newer_caches(situation) is not None:
        return []
    every_one = bool(situation.planned) or situation.terms.cycle.force
    return [
        PartPlan(task=TaskName.REDIS_SYNC, part=cache.part, payload={"cache": cache.name})
        for cache in CACHES.values()
        if (every_one or _is_stale(cache, situation)) and not _has_to_wait(cache, situation)
    ]


def _is_stale(cache: Cache, situation: Situation) -> bool:
    """A cache is stale when its inputs are newer, or when Redis does not hold what the ledger says was written."""
    written, mark = situation.on_day(cache.name), situation.marks.get(cache.name)
    if written is None or mark is None or mark != written.detail.get("fence"):
        return True
    return situation.is_stale(cache.name, cache.made_from)


def _has_to_wait(cache: Cache, situation: Situation) -> bool:
    return any(_waits_for_another_task(BY_NAME[name], situation) for name in cache.requires) or (
        names.SLOT_PROOF in cache.requires and _waits_for_the_vendor(situation)
    )


def _waits_for_another_task(one: DataSet, situation: Situation) -> bool:
    """Whether a request for one task cannot bring a cache, since another task has not brought its input yet."""
    tasks = set(situation.terms.cycle.tasks)
    makes_some = {BY_NAME[name].task for cache in CACHES.values() for name in cache.requires} & tasks
    # The caches themselves were asked for where none of those is: then a missing input is worth saying.
    return bool(makes_some) and one.task not in tasks and situation.on_day(one.name) is None


def _waits_for_the_vendor(situation: Situation) -> bool:
    """Whether it is made of slots of the day that this plan does not give, or gives as a file the next day."""
    if situation.holdings.capabilities.get(Capability.RANGE_BARS.value, True):
        return False
    return situation.terms.day not in situation.files.versions and situation.on_day(names.SLOT_PROOF) is None
