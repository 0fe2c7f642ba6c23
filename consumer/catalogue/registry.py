"""Finds every declared data set, puts them in order, and answers what others derive from them.

A module of consumer/data_sets that declares a DataSet is enough: nothing else lists them. What contradicts itself (a
name twice, an input that nobody declares, a circle) is refused when the program starts.
"""

from __future__ import annotations

import pkgutil
from functools import partial
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

import msgspec

import consumer.data_sets
from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.tables import Table
from consumer.tasks.redis_sync import sync_cache
from contract.messages import TaskName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.postgres.ledger import PartPlan
    from consumer.tasks.redis_sync import Cache

CACHE_STAGE = "redis_sync/cache"


#: Measured by tables of their own, whose reader (postgres/held_sessions, holdings_reader) knows one of each.
ONE_OF_EACH = (Covers.SYMBOL, Covers.SYMBOL_AND_SESSION, Covers.BESIDE)


class Misdeclared(Exception):
    """A declaration contradicts another one; the text says which."""


D = TypeVar("D", DataSet, Table)


def _declared(wanted: type[D]) -> dict[str, D]:
    """The data sets, or the tables, of all modules of consumer/data_sets, by name."""
    found: dict[str, D] = {}
    for module in pkgutil.iter_modules(consumer.data_sets.__path__, "consumer.data_sets."):
        for one in vars(import_module(module.name)).values():
            if isinstance(one, wanted) and found.setdefault(one.name, one) is not one:
                raise Misdeclared(f"two of them are called {one.name}")
    return dict(sorted(found.items()))


def ordered(declared: Iterable[DataSet]) -> tuple[DataSet, ...]:
    """Each after all that it is made from or planned with. Raises Misdeclared."""
    by_name = {one.name: one for one in declared}
    for one in by_name.values():
        wanted = {*inputs_of(one), *(name for kind in one.kinds for name in kind.after if "/" not in name)}
        if unknown := sorted(wanted - by_name.keys()):
            raise Misdeclared(f"{one.name} names {unknown[0]}, which no module of consumer/data_sets declares")
    for covers in ONE_OF_EACH:
        several = [one.name for one in by_name.values() if one.covers is covers]
        if len(several) > 1:
            raise Misdeclared(f"{' and '.join(sorted(several))} cover {covers.value}: only one data set can")
    graph = {name: inputs_of(one) for name, one in by_name.items()}
    try:
        return tuple(by_name[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise Misdeclared(f"data sets are made from each other: {' from '.join(error.args[1])}") from error


def inputs_of(one: DataSet) -> tuple[str, ...]:
    """What has to be planned before *one*, to know whether it is."""
    return (*one.made_from, *one.planned_with, *one.needs_known, *one.known_later)


DATA_SETS = ordered(_declared(DataSet).values())
#: Every table of ours: those of data sets, and those of the ledger and its evidence.
TABLES = {
    **_declared(Table),
    **{table.name: table for one in DATA_SETS for table in one.tables},
}
BY_NAME = {one.name: one for one in DATA_SETS}
CACHES: dict[str, Cache] = {cache.name: cache for one in DATA_SETS for cache in one.caches}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of part and whose it is; *stage* is what others wait for."""

    kind: PartKind
    data_set: DataSet | None
    stage: str


def _kinds() -> dict[tuple[str, str], Placed]:
    found: dict[tuple[str, str], Placed] = {}
    for one in DATA_SETS:
        for kind in one.kinds:
            place = Placed(kind=kind, data_set=one, stage=f"{one.task.value}/{kind.stage or kind.name}")
            if found.setdefault((one.task.value, kind.name), place) is not place:
                raise Misdeclared(f"two data sets have parts {kind.name} of {one.task.value}")
    for cache in CACHES.values():
        kind = PartKind(name=cache.part, run=partial(sync_cache, cache=cache))
        found[TaskName.REDIS_SYNC.value, cache.part] = Placed(kind=kind, data_set=None, stage=CACHE_STAGE)
    return found


KINDS = _kinds()


def kind_of(task: str, part: str) -> Placed | None:
    """Return what a part of that name is; None where no declaration knows it. A cache's part is named whole."""
    return KINDS.get((task, part)) or KINDS.get((task, part.partition(":")[0]))


def stages_of(data_set: str) -> tuple[str, ...]:
    """The stages that bring *data_set*; a stage itself, as "task/stage", is its own."""
    if "/" in data_set:
        return (data_set,)
    return tuple(dict.fromkeys(place.stage for place in KINDS.values() if place.data_set is BY_NAME[data_set]))


def _before_caches() -> tuple[str, ...]:
    """What goes before the caches: all that brings what they are made of, near or far."""
    wanted, found = [name for cache in CACHES.values() for name in (*cache.made_from, *cache.requires)], set[str]()
    while wanted:
        name = wanted.pop()
        if name not in found and name in BY_NAME:
            found.add(name)
            after = [other for kind in BY_NAME[name].kinds for other in kind.after]
            wanted += [*inputs_of(BY_NAME[name]), *after]
    return tuple(dict.fromkeys(stage for name in BY_NAME if name in found for stage in stages_of(name)))


BEFORE_CACHES = _before_caches()


def placed(plan: PartPlan) -> PartPlan:
    """Return *plan* with its stage and what it needs, as its kind declares them. Raises Misdeclared."""
    if plan.stage:
        return plan
    place = kind_of(plan.task, plan.part)
    if place is None:
        raise Misdeclared(f"no declaration knows a part {plan.part} of {plan.task}")
    after = place.kind.after if plan.after is None else plan.after
    needs = BEFORE_CACHES if place.stage == CACHE_STAGE else tuple(s for name in after for s in stages_of(name))
    return msgspec.structs.replace(plan, stage=place.stage, needs=needs)


def data_set_of(plan: PartPlan) -> DataSet | None:
    """Whose part it is; None for those of caches and of the cycle itself."""
    place = kind_of(plan.task, plan.part)
    return None if place is None else place.data_set


def parts_that_bring(data_set: str) -> tuple[str, ...]:
    """The kinds of parts whose reasons explain what is missing of *data_set*, as "task/kind"."""
    one = BY_NAME[data_set]
    # What plans the others comes last: the reason of a part that asked says more.
    kinds = sorted(one.kinds, key=lambda kind: kind.asked is Asked.NOBODY and len(one.kinds) > 1)
    return tuple(f"{one.task.value}/{kind.name}" for kind in kinds)


PARTS_OF_CACHES = tuple(dict.fromkeys(f"redis_sync/{cache.part.partition(':')[0]}" for cache in CACHES.values()))
