"""A plan is a function of what stands: no server, whatever the situation."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.catalogue.registry import BY_NAME, CACHES, DATA_SETS, inputs_of
from consumer.cycle.plan import missing_parts
from consumer.data_sets.declaration import Covers
from consumer.data_sets.situation import Situation
from consumer.postgres.cycles import Cycle
from consumer.postgres.holdings import Covered, Held, Holdings, Newest
from consumer.tasks.slot_rows import SlotFacts
from consumer.tasks.terms import TaskOptions, Terms
from contract import data_sets as names
from contract.messages import ALL_TASKS, TaskName
from contract.reports import CycleState
from market.data_source import VENDOR
from market.schedule import Schedule, parse_rules
from market.trading_calendar import TradingCalendar
from market.weekly_sample import FEWEST_SESSIONS, Candidates

DAY = dt.date(2025, 11, 11)
CALENDAR = TradingCalendar()
SCHEDULE = Schedule(CALENDAR, parse_rules("POST_MARKET+1h CLOSED+15m"))
NOW = dt.datetime(2025, 11, 12, 3, 0, tzinfo=dt.UTC)  # 22:00 in New York: all of the day is due
LOADED = NOW - dt.timedelta(minutes=30)
FENCE = 7
OPTIONS = TaskOptions()
PLANNED = tuple(one for one in DATA_SETS if one.kinds)


def situation(**holdings: object) -> Situation:
    """Everything stands and is fresh, but for what is said of the holdings."""
    cycle = Cycle(
        cycle_id=1, trading_day=DAY, occasion="CLOSED+15m", scheduled=True, due_at=NOW, requested_by="test",
        tasks=tuple(ALL_TASKS), force=False, state=CycleState.RUNNING, run_pass=1, opened_at=NOW, pass_started_at=NOW,
        finished_at=None, next_pass_at=None, give_up_at=NOW + dt.timedelta(days=1), reason=None, missing=(),
        warnings=(),
    )  # fmt: skip
    days = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=DAY)
    held = Held(expected=100, loaded=100, oldest=LOADED, newest=LOADED)
    everything = [*(one.name for one in DATA_SETS), *CACHES]
    stands = Holdings(
        sessions={one.name: dict.fromkeys(days, held) for one in DATA_SETS if one.covers is Covers.SESSION},
        on_day={name: Covered(row_count=1, fetched_at=LOADED, detail={"fence": FENCE}) for name in everything},
        changed_at=dict.fromkeys(everything, LOADED),
        newest={name: Newest(trading_day=DAY, fetched_at=LOADED, rows=1, since=days[0]) for name in everything},
        symbols=100,
        facts={names.DETAILS: [], names.VOLUME_SLOTS: SlotFacts()},
    )
    return Situation(
        terms=Terms(cycle=cycle, schedule=SCHEDULE, options=OPTIONS, source=VENDOR),
        holdings=msgspec.structs.replace(stands, **holdings), now=NOW, marks=dict.fromkeys(CACHES, FENCE),
    )  # fmt: skip


def without(before: Situation, name: str) -> Situation:
    """The same, but nobody ever loaded *name*."""
    stands = before.holdings
    facts = dict(stands.facts)
    if name == names.VOLUME_SLOTS:
        facts[name] = SlotFacts(missing={"A": [DAY]})
    if name == names.DETAILS:
        facts[name] = ["A"]
    if name == names.SAMPLE:
        facts[name] = Candidates(sessions=[DAY - dt.timedelta(days=number) for number in range(FEWEST_SESSIONS)])
    return msgspec.structs.replace(
        before,
        holdings=msgspec.structs.replace(
            stands,
            sessions={other: days for other, days in stands.sessions.items() if other != name},
            on_day={other: one for other, one in stands.on_day.items() if other != name},
            newest={other: one for other, one in stands.newest.items() if other != name},
            facts=facts,
        ),
    )


def planned(found: Situation) -> set[str]:
    """The data sets of which something is planned."""
    parts = missing_parts(found)
    kinds = {(one.task.value, kind.name): one.name for one in DATA_SETS for kind in one.kinds}
    return {kinds[part.task, part.part.partition(":")[0]] for part in parts if part.task != TaskName.REDIS_SYNC}


def follows(name: str) -> set[str]:
    """What is planned together with *name*, by the declarations alone."""
    found = {name}
    for one in DATA_SETS:
        by_itself = one.covers not in (Covers.SESSION, Covers.BESIDE)
        if not found.isdisjoint((*one.made_from, *one.planned_with)) and by_itself:
            found.add(one.name)
    return found


def test_where_everything_stands_nothing_is_planned() -> None:
    assert missing_parts(situation()) == []


@pytest.mark.parametrize("name", [one.name for one in PLANNED])
def test_what_was_never_loaded_is_planned_with_all_that_is_made_from_it_and_all_caches(name: str) -> None:
    found = without(situation(), name)
    assert planned(found) >= follows(name)
    caches = {part.part for part in missing_parts(found) if part.task == TaskName.REDIS_SYNC}
    assert caches == {cache.part for cache in CACHES.values()}


@given(st.sets(st.sampled_from([one.name for one in PLANNED])))
def test_whatever_is_gone_a_plan_names_each_part_once_and_none_before_its_inputs(gone: set[str]) -> None:
    found = situation()
    for name in gone:
        found = without(found, name)
    parts = missing_parts(found)
    assert len({(part.task, part.part) for part in parts}) == len(parts)
    assert planned(found) >= gone
    assert all(part.stage for part in parts)


COMPUTED = [one.name for one in DATA_SETS if one.covers is Covers.NEWEST_SESSION and one.made_from]


@pytest.mark.parametrize("name", COMPUTED)
def test_an_input_that_has_changed_since_has_it_computed_again(name: str) -> None:
    for changed in BY_NAME[name].made_from:
        later = {**situation().holdings.changed_at, changed: NOW}
        assert name in planned(situation(changed_at=later)), changed


@pytest.mark.parametrize("never", [{names.SPLITS}, {names.DETAILS}, {names.SPLITS, names.DIVIDENDS}, {names.FLOATS}])
def test_what_a_vendors_plan_never_brings_is_no_lack_and_nothing_follows_from_it(never: set[str]) -> None:
    found = situation()
    for name in never:
        found = without(found, name)
    assert planned(found) >= never, "a new pass asks for it all the same, since plans change"
    assert missing_parts(msgspec.structs.replace(found, left_out=frozenset(never))) == []


def test_what_retention_deleted_of_the_day_is_neither_lost_nor_stale() -> None:
    on_day = {**situation().holdings.on_day}
    on_day[names.ATR] = Covered(row_count=9, fetched_at=LOADED - dt.timedelta(days=9), standing=0, retired=True)
    assert missing_parts(situation(on_day=on_day)) == []
    on_day[names.ATR] = msgspec.structs.replace(on_day[names.ATR], retired=False)
    assert names.ATR in planned(situation(on_day=on_day))


def test_a_backfill_computes_nothing_of_the_newest_day() -> None:
    first = CALENDAR.last_trading_days(5, up_to=DAY)[0]
    found = without(without(situation(), names.DAILY_BARS), names.ATR)
    cycle = msgspec.structs.replace(found.terms.cycle, first_day=first, tasks=(TaskName.OHLC_DAILY,))
    found = msgspec.structs.replace(found, terms=msgspec.structs.replace(found.terms, cycle=cycle))
    assert planned(found) == {names.DAILY_BARS, names.PLAUSIBILITY}
    assert len([part for part in missing_parts(found) if part.part.startswith("bars:")]) == 5


def test_caches_that_redis_does_not_hold_are_written_again_and_those_of_a_later_day_are_left() -> None:
    lost = msgspec.structs.replace(situation(), marks={})
    assert {part.part for part in missing_parts(lost)} == {cache.part for cache in CACHES.values()}
    later = {name: msgspec.structs.replace(one, trading_day=DAY + dt.timedelta(days=1)) if name in CACHES else one
             for name, one in situation().holdings.newest.items()}  # fmt: skip
    assert missing_parts(msgspec.structs.replace(situation(newest=later), marks={})) == []


def test_inputs_are_all_declared() -> None:
    assert {name for one in DATA_SETS for name in inputs_of(one)} <= BY_NAME.keys()
