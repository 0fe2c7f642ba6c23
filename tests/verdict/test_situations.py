"""Every row of docs/verdict.md: what is said of a session in that situation."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from consumer.catalogue.registry import CACHES
from consumer.postgres.holdings import LastAsked
from consumer.verdict import words
from contract import data_sets as sets
from market.trading_calendar import NEW_YORK
from tests.verdict.worlds import CALENDAR, EVERY_SET, World, at, bars, slots

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdict.md"
DAY = dt.date(2025, 11, 11)
FREE = {"requests_per_second": 5 / 60}
REPEATED = {(DAY, sets.DAILY_BARS): ("98 % of closes are those of the day before",)}
BUT_CACHES = tuple(name for name in EVERY_SET if name not in CACHES)


def tuesday(**expectations: float | bool) -> World:
    return World(DAY, **expectations)


def first_look() -> World:
    return tuesday().loaded("17:02")


def final() -> World:
    return tuesday().loaded("20:17")


def lacking(symbols: int = 312) -> World:
    return final().slots("20:18", missing=symbols)


def free() -> World:
    """The evening of a free plan: what describes the present is there, bars come after midnight."""
    return tuesday(**FREE).without(same_day=True).sets("20:17", *BUT_CACHES[:3]).slots(None)


def free_night(slots_at: str, missing: int) -> World:
    morning = "2025-11-12T00:"
    return free().bars(f"{morning}06-05:00").sets(f"{morning}50-05:00").slots(slots_at, missing=missing)


def by_file() -> World:
    """Bars and all but slots are there; slots come as files alone."""
    return tuesday(slot_files=True).without(range_bars=True).bars("20:16").sets("20:17").slots(None)


def broken_atr() -> World:
    world = final().sets("20:17")
    known = world.holdings.newest[sets.ATR]
    broken = msgspec.structs.replace(known, rows=2000, broken=9000, unbroken_since=dt.date(2025, 10, 29))
    return world.change(newest={**world.holdings.newest, sets.ATR: broken})


def broken_again(world: World) -> World:
    """The next evening computes its ATR behind the same hole."""
    newer = msgspec.structs.replace(
        world.holdings.newest[sets.ATR], trading_day=CALENDAR.next_trading_day(DAY),
        fetched_at=world.instant("2025-11-12T20:17-05:00"),
    )  # fmt: skip
    return world.change(newest={**world.holdings.newest, sets.ATR: newer})


def by_file_without_caches() -> World:
    """Somebody had the file read before noon, and the caches that are made of slots are not written yet."""
    others = [name for name in EVERY_SET if name not in CACHES or sets.SLOT_PROOF not in CACHES[name].requires]
    world = tuesday(slot_files=True).without(range_bars=True).bars("20:16").sets("20:17", *others)
    return world.slots("2025-11-12T11:30-05:00")


def new_symbols(count: int) -> World:
    world = final()
    new = LastAsked(since=DAY, asked_on=None, symbols=count)
    return world.change(details=(*world.holdings.details, new))


def restated() -> World:
    evening = "2025-11-12T20:17-05:00"
    world = final().bars(evening).slots(evening)
    return world.bars(evening, day=dt.date(2025, 11, 12)).slots(evening, day=dt.date(2025, 11, 12)).change(
        newest={name: msgspec.structs.replace(one, trading_day=dt.date(2025, 11, 12), fetched_at=world.instant(evening))
                for name, one in world.holdings.newest.items()},
    )  # fmt: skip


def retired() -> World:
    world = final()
    night = at(DAY, "20:17")
    return world.change(
        sessions={
            sets.DAILY_BARS: {**world.holdings.of(sets.DAILY_BARS), DAY: bars(night, retired=True)},
            sets.VOLUME_SLOTS: {**world.holdings.of(sets.VOLUME_SLOTS), DAY: slots(night, retired=True, oldest=None)},
        },
    )


SITUATIONS: dict[int, Callable[[], World]] = {
    1: first_look,
    2: final,
    3: first_look,
    4: lambda: first_look().at_work(),
    5: lambda: first_look().at_work(),
    6: tuesday,
    7: lambda: tuesday().loaded("16:20"),
    8: tuesday,
    9: tuesday,
    10: lambda: tuesday().bars("17:01").slots("17:02", missing=5_500).at_work(),
    11: lambda: tuesday().at_work(),
    12: lambda: tuesday().at_work(),
    13: lacking,
    14: lambda: final().slots("20:18", unproven=110),
    15: lambda: final().slots("20:18", unproven=111),
    16: lambda: final().bars("20:16", expected=5_500, loaded=5_500),
    17: lambda: final().bars("20:16", expected=5_500, loaded=5_500, accepted_short=True),
    18: lambda: tuesday().bars("20:17").sets("20:17", sets.SPLITS, sets.ATR).slots(None),
    19: lambda: lacking().sets("20:35", *CACHES),
    20: lacking,
    21: final,
    22: lambda: lacking(9_000),
    23: lambda: first_look().at_work(),
    24: final,
    25: lambda: final().bars("21:30", day=dt.date(2025, 10, 1)),
    26: final,
    27: restated,
    28: lambda: tuesday().bars("20:16").slots("20:18").sets("20:17", *(n for n in EVERY_SET if n != sets.UNIVERSE)),
    29: lambda: tuesday().bars("20:16").slots("20:18").sets("20:17", *BUT_CACHES),
    30: lambda: new_symbols(3),
    31: lambda: World(dt.date(2025, 11, 26)).loaded("20:17"),
    32: lambda: World(dt.date(2025, 11, 14)).loaded("20:17"),
    33: lambda: World(dt.date(2025, 11, 28)).loaded("14:02"),
    34: lambda: World(dt.date(2025, 11, 28)).loaded("17:16"),
    35: lambda: tuesday().empty(),
    36: lambda: tuesday().empty().at_work(),
    37: lambda: World(DAY, rules="CLOSED+15m"),
    38: lambda: free().at_work(),
    39: lambda: free_night("2025-11-12T00:30-05:00", 10_400),
    40: lambda: free().at_work(),
    41: lambda: free_night("2025-11-14T05:00-05:00", 4_000),
    42: lambda: free_night("2025-11-15T05:00-05:00", 0),
    43: lambda: tuesday(requests_per_second=100 / 60).loaded("17:02").slots("17:10", missing=6_000),
    44: lambda: tuesday().without(floats=True).bars("20:16").slots("20:18").sets(
        "20:17", *(name for name in EVERY_SET if name != sets.FLOATS)),
    45: lambda: tuesday().without(range_bars=True).bars("20:16").slots(None).sets("20:17"),
    46: by_file,
    47: lambda: by_file().slots("2025-11-12T12:04-05:00"),
    48: by_file,
    49: lambda: final().change(findings=REPEATED),
    50: retired,
    51: final,
    52: lambda: lacking().change(findings=REPEATED),
    53: broken_atr,
    54: by_file,
    55: by_file_without_caches,
    56: lambda: broken_again(broken_atr()),
    57: lambda: tuesday(requests_per_second=100 / 60).bars("17:02").slots("17:03", missing=4_000).at_work(),
}  # fmt: skip


class Row(NamedTuple):
    number: int
    situation: str
    at: str
    state: str
    condition: str
    run: str
    final: str
    service: str


def rows() -> list[Row]:
    found = []
    for line in re.findall(r"^\| (\d+ \|.*) \|$", DOCUMENT.read_text(), re.MULTILINE):
        number, *cells = (cell.strip() for cell in line.split("|"))
        found.append(Row(int(number), *cells))
    return found


def test_every_situation_of_the_document_is_tried_and_every_one_tried_is_told() -> None:
    assert [row.number for row in rows()] == list(SITUATIONS)
    assert len(rows()) >= 25


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.number} {row.situation}")
def test_a_situation_is_judged_as_the_document_says(row: Row) -> None:
    world = SITUATIONS[row.number]()
    time = row.at if len(row.at) == 5 else instant(row.at)
    judged = world.judged(time)
    verdict = judged.verdicts[world.day]
    found = Row(
        row.number, row.situation, row.at, verdict.state.value, verdict.condition.value,
        "yes" if judged.last_run == world.day else "no", "yes" if judged.last_final == world.day else "no",
        judged.serving.service.value,
    )  # fmt: skip
    assert found == row, words.sentence(verdict)


def instant(text: str) -> str:
    """A New York time of another day, as an ISO instant."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).isoformat()


def test_what_lacks_is_told_with_how_many_and_why() -> None:
    world = lacking().change(reasons={(DAY, "volume_slots/batch"): "the vendor answers 503"})
    verdict = world.verdict("20:30")
    assert words.sentence(verdict) == (
        "Tue 11 Nov lacks volume_slots of 312 of 11,000 symbols (the vendor answers 503)"
    )
    assert words.missing_lines(verdict) == ["volume_slots 2025-11-11: 312 of 11000 symbols: the vendor answers 503"]


def test_what_is_suspect_is_told_beside_what_lacks() -> None:
    assert words.sentence(lacking().change(findings=REPEATED).verdict("20:30")) == (
        "Tue 11 Nov lacks volume_slots of 312 of 11,000 symbols; "
        "what it has is suspect: 98 % of closes are those of the day before"
    )


def test_a_figure_that_lacks_for_a_hole_says_so_with_the_cure() -> None:
    assert words.sentence(broken_atr().verdict("20:30")) == (
        "Tue 11 Nov lacks atr of 9,000 of 11,000 symbols (a session is missing before Wed 29 Oct 2025; backfill it)"
    )


def test_what_a_plan_brings_later_is_told_with_its_time_and_what_it_never_brings_by_name() -> None:
    evening = by_file().without(range_bars=True, floats=True).verdict("20:30")
    assert words.sentence(evening) == (
        "Tue 11 Nov is whole and provisional; volume_slots follow by Wed 12 Nov 12:00 ET on this plan"
    )
    assert (words.missing_lines(evening), evening.not_in_plan) == ([], (sets.FLOATS,))
    assert words.sentence(free().verdict("18:00")) == "Tue 11 Nov has no data yet; due Wed 12 Nov 00:05 ET"


def test_the_same_holdings_are_judged_alike_whatever_ran_or_waits() -> None:
    """A run, its end or its absence change how a due time is served, and nothing about the data."""
    for world in (first_look(), final(), lacking(), tuesday()):
        alone = world.judged("20:30").verdicts
        with_runs = world.at_work().judged("20:30").verdicts
        small = world.at_work(tasks=("redis_sync",)).judged("20:30").verdicts
        assert alone == with_runs == small


def test_a_cycle_for_some_tasks_serves_no_due_time() -> None:
    assert first_look().at_work(tasks=("redis_sync",)).judged("20:30").serving.service.value == "late"


def test_a_verdict_turns_at_the_instants_that_it_names() -> None:
    judged = tuesday().judged("16:30")
    assert judged.next_change_at == at(DAY, "17:00")
    turned = tuesday().judged("17:00").verdicts[DAY]
    assert (judged.verdicts[DAY].condition.value, turned.condition.value) == ("pending", "missing")


def test_half_a_year_of_sessions_is_final_once_loaded() -> None:
    for day in CALENDAR.trading_days(dt.date(2025, 11, 3), dt.date(2026, 4, 30)):
        session = CALENDAR.session(day)
        since = (session.extended_closes_at + dt.timedelta(minutes=16)).isoformat()
        judged = World(day).loaded(since).judged(since)
        assert (judged.last_run, judged.last_final, judged.serving.service.value) == (day, day, "served")
