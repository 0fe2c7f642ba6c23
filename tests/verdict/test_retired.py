"""What retention has deleted of a session is told as that, and never as data that stand."""

from __future__ import annotations

import datetime as dt

import msgspec

from consumer.verdict.states import Condition, SessionState
from consumer.verdict.words import sentence
from contract import data_sets as sets
from tests.verdict.worlds import World, at, bars, slots

DAY = dt.date(2025, 11, 11)
NIGHT = at(DAY, "20:16")


def world() -> World:
    return World(DAY).loaded("20:16")


def test_a_session_whose_bars_were_deleted_is_retired_whatever_else_of_it_stands() -> None:
    verdict = world().hold(sets.DAILY_BARS, DAY, bars(NIGHT, loaded=0, retired=True)).verdict("20:30")
    assert (verdict.state, verdict.condition) == (SessionState.RETIRED, Condition.MISSING)


def test_a_session_whose_slots_alone_were_deleted_is_what_its_bars_are_and_says_so() -> None:
    gone = msgspec.structs.replace(slots(NIGHT), retired=True, oldest=None)
    verdict = world().hold(sets.VOLUME_SLOTS, DAY, gone).verdict("20:30")
    assert verdict.state is SessionState.FINAL
    assert sentence(verdict) == "Tue 11 Nov is whole and final, but volume_slots, deleted by retention"
    told = verdict.of(sets.VOLUME_SLOTS)
    assert told is not None
    assert (told.state, told.condition) == (SessionState.RETIRED, Condition.MISSING)
