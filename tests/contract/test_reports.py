"""Proves that what we write for others reads as documented, whatever text an error brought along."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import TaskName, UndecodableMessage, encode
from contract.reports import (
    Condition,
    CycleState,
    DayStatus,
    DeadLetter,
    EventName,
    MaintenanceEvent,
    PartCount,
    RunReport,
    SessionState,
    TaskState,
    decode_dead_letter,
    decode_event,
    decode_status,
    encode_dead_letter,
    encode_status,
)

NOON = dt.datetime(2025, 11, 11, 17, 0, tzinfo=dt.UTC)

# hypothesis wants its bounds naive and adds the time zone itself.
EARLIEST, LATEST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None) for year in (1998, 2100))
utc_instants = st.datetimes(EARLIEST, LATEST, timezones=st.just(dt.UTC))
events = st.builds(
    MaintenanceEvent,
    event=st.sampled_from(EventName),
    at=utc_instants,
    trading_day=st.none() | st.dates(),
    cycle=st.none() | st.integers(1, 10**18 - 1),
    task=st.none() | st.sampled_from(TaskName),
    part=st.none() | st.just("2025-11-11"),
    detail=st.none() | st.text(st.characters()),
)
dead_letters = st.builds(
    DeadLetter,
    stream=st.just("maintenance:tasks"),
    entry_id=st.just("1762894800000-0"),
    reason=st.text(st.characters()),
    deliveries=st.integers(0, 10**6),
    at=utc_instants,
    fields=st.dictionaries(st.text(), st.text()),
)


@given(events)
def test_an_event_survives_the_wire(event: MaintenanceEvent) -> None:
    fields = encode(event)
    assert decode_event(fields) == event
    assert all(value.encode() and "\n" not in value for value in fields.values())


@given(dead_letters)
def test_a_dead_letter_keeps_the_original_fields_as_they_were(letter: DeadLetter) -> None:
    assert decode_dead_letter(encode_dead_letter(letter)) == letter


def test_an_original_field_named_like_one_of_ours_hides_nothing() -> None:
    original = {"reason": "mine", "field:reason": "mine too", "stream": "x"}
    letter = DeadLetter(
        stream="maintenance:tasks", entry_id="1-0", reason="bad", deliveries=1, at=NOON, fields=original
    )
    encoded = encode_dead_letter(letter)
    assert (encoded["reason"], encoded["field:reason"]) == ("bad", "mine")
    assert decode_dead_letter(encoded).fields == original


def test_the_status_keeps_the_fields_that_readers_of_the_earlier_service_know() -> None:
    run = RunReport(
        cycle=7, trading_day=dt.date(2025, 11, 11), state=CycleState.RUNNING, started_at=NOON,
        tasks={"ohlc_daily": TaskState.COMPLETED}, parts={"ohlc_daily": PartCount(done=30, failed=0, total=30)},
    )  # fmt: skip
    status = DayStatus(
        date=dt.date(2025, 11, 11),
        started_at=NOON,
        tasks={"ohlc_daily": TaskState.COMPLETED, "metadata_enrich": TaskState.IN_PROGRESS},
        state=SessionState.PARTIAL,
        condition=Condition.PENDING,
        summary="Tue 11 Nov lacks floats",
        due_at=NOON,
        final_at=NOON,
        run=run,
        updated_at=NOON,
    )
    shown = json.loads(encode_status(status))
    assert shown["date"] == "2025-11-11"
    assert shown["tasks"] == {"ohlc_daily": "completed", "metadata_enrich": "in_progress"}
    assert {"started_at", "completed_at", "duration_seconds", "all_success"} <= shown.keys()
    assert decode_status(encode_status(status)) == status


def test_a_status_of_another_shape_is_refused_with_the_place() -> None:
    with pytest.raises(UndecodableMessage, match=r"\$"):
        decode_status('{"date": "2025-11-11", "tasks": {"ohlc_daily": "lost"}}')
