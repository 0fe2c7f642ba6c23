"""Proves that messages survive the wire and that a person's mistakes are refused with their cure."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.flat_fields import BadField
from contract.messages import (
    SessionChanged,
    TaskMessage,
    TaskName,
    UndecodableMessage,
    decode_session_changed,
    decode_task,
    encode,
)
from market.session import SessionPhase

# hypothesis wants its bounds naive and adds the time zone itself.
EARLIEST, LATEST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None) for year in (1998, 2100))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
instants = st.datetimes(EARLIEST, LATEST, timezones=zones)
plain_texts = (
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200)
    .map(str.strip)
    .filter(lambda text: bool(text) and text.isprintable())
)

task_messages = st.builds(
    TaskMessage,
    task=st.sampled_from(TaskName),
    trading_day=st.none() | st.dates(),
    rule=st.none() | plain_texts,
    part=st.none() | plain_texts,
    cycle=st.none() | st.integers(1, 10**18 - 1),
    attempt=st.integers(1, 10**9),
    force=st.booleans(),
    requested_by=plain_texts,
)


@st.composite
def session_changes(draw: st.DrawFn) -> SessionChanged:
    before, after = draw(st.permutations(list(SessionPhase)))[:2]
    return SessionChanged(
        from_session=before,
        to_session=after,
        trading_date=draw(st.dates()),
        timestamp=draw(instants),
        regular_close=draw(instants),
        early_close=draw(st.booleans()),
        source=draw(plain_texts),
    )


GOOD_CHANGE = {
    "event": "SESSION_CHANGED",
    "from_session": "MARKET_OPEN",
    "to_session": "POST_MARKET",
    "trading_date": "2025-11-11",
    "timestamp": "2025-11-11T16:00:00-05:00",
    "regular_close": "2025-11-11T21:00:00Z",
    "early_close": "no",
    "source": "calendar",
}


@given(task_messages)
def test_a_task_message_survives_the_wire(message: TaskMessage) -> None:
    assert decode_task(encode(message)) == message


@given(session_changes())
def test_a_session_change_survives_the_wire(message: SessionChanged) -> None:
    assert decode_session_changed(encode(message)) == message


@given(st.dictionaries(st.sampled_from([*TaskMessage.__struct_fields__, "date"]), st.text()))
def test_any_text_in_a_task_is_read_or_refused_never_a_crash(fields: dict[str, str]) -> None:
    try:
        message = decode_task(fields)
    except UndecodableMessage as refusal:
        assert str(refusal)
    else:
        assert decode_task(encode(message)) == message


@given(st.dictionaries(st.sampled_from(SessionChanged.__struct_fields__), st.text()))
def test_any_text_in_a_session_change_is_read_or_refused_never_a_crash(fields: dict[str, str]) -> None:
    with pytest.raises(UndecodableMessage):
        decode_session_changed(GOOD_CHANGE | {"from_session": "CLOSED", "to_session": "CLOSED"} | fields)


def test_one_field_typed_by_a_person_is_a_whole_task() -> None:
    assert decode_task({"task": "cycle"}) == TaskMessage(task=TaskName.CYCLE)
    typed = decode_task({"task": "ohlc_daily", "trading_day": "2025-11-11"})
    assert typed.trading_day == dt.date(2025, 11, 11)
    assert typed.requested_by == "operator"


def test_blank_values_count_as_absent_and_blanks_around_a_value_are_ignored() -> None:
    typed = decode_task({"task": " cycle ", "trading_day": "  ", "part": "", "force": " YES"})
    assert typed == TaskMessage(task=TaskName.CYCLE, force=True)


def test_fields_of_a_later_release_are_ignored() -> None:
    assert decode_task({"task": "cycle", "colour": "blue"}) == TaskMessage(task=TaskName.CYCLE)
    assert decode_session_changed(GOOD_CHANGE | {"venue": "XNYS"}) == decode_session_changed(GOOD_CHANGE)


@pytest.mark.parametrize(
    ("word", "meaning"), [("true", True), ("1", True), ("yes", True), ("false", False), ("0", False), ("No", False)]
)
def test_force_takes_the_words_that_people_write(word: str, meaning: bool) -> None:
    assert decode_task({"task": "cycle", "force": word}).force is meaning


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "task is missing"),
        (
            {"task": "ohlc"},
            "task 'ohlc' is unknown: one of cycle, ohlc_daily, volume_slots, metadata_enrich, redis_sync",
        ),
        ({"trading_day": "11/11/2025"}, "trading_day '11/11/2025' is not a date: write YYYY-MM-DD"),
        ({"trading_day": "20251111"}, "trading_day '20251111' is not a date: write YYYY-MM-DD"),
        (
            {"trading_day": "2025-02-30"},
            "trading_day '2025-02-30' is not a date of the calendar: day is out of range for month",
        ),
        ({"force": "maybe"}, "force 'maybe' is neither yes nor no: write true or false"),
        ({"attempt": "two"}, "attempt 'two' is not a whole number: write digits only"),
        ({"attempt": "0"}, "attempt '0' is too small: the first attempt is 1"),
        ({"cycle": "-4"}, "cycle '-4' is not a whole number: write digits only"),
        ({"part": "a\nb"}, "part 'a\\nb' is no plain text: one printable line, no blanks around it"),
        ({"date": "2025-11-11"}, "date '2025-11-11' is not a field of a task: write trading_day"),
    ],
)
def test_a_refused_task_names_the_field_the_value_and_the_cure(fields: dict[str, str], reason: str) -> None:
    given_fields = {"task": "cycle"} | fields if fields else {}
    with pytest.raises(UndecodableMessage) as refusal:
        decode_task(given_fields)
    assert str(refusal.value) == reason


def test_all_faults_of_a_message_are_told_together() -> None:
    with pytest.raises(UndecodableMessage) as refusal:
        decode_task({"trading_day": "today", "force": "2"})
    for name in ("task is missing", "trading_day 'today'", "force '2'"):
        assert name in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"timestamp": "2025-11-11T16:00:00"}, "timestamp '2025-11-11T16:00:00' is not an instant"),
        ({"timestamp": "2025-11-11 16:00:00-05:00"}, "timestamp '2025-11-11 16:00:00-05:00' is not an instant"),
        ({"timestamp": "2025-11-11T25:00:00Z"}, "timestamp '2025-11-11T25:00:00Z' is no instant of the calendar"),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "is no instant of the calendar"),
        ({"to_session": "MARKET_OPEN"}, "from_session and to_session are both MARKET_OPEN"),
        ({"to_session": "closed"}, "one of PRE_MARKET, MARKET_OPEN, POST_MARKET, CLOSED"),
        ({"event": "DAY_CHANGED"}, "event 'DAY_CHANGED' is unknown"),
        ({"regular_close": ""}, "regular_close is missing"),
    ],
)
def test_a_refused_session_change_says_why(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(UndecodableMessage) as refusal:
        decode_session_changed(GOOD_CHANGE | fields)
    assert reason in str(refusal.value)


def test_a_message_that_could_not_be_read_back_cannot_be_made() -> None:
    with pytest.raises(BadField):
        TaskMessage(task=TaskName.CYCLE, part=" padded ")
    with pytest.raises(BadField):
        TaskMessage(task=TaskName.CYCLE, requested_by="x" * 201)
