"""A message that is tried again is the same message: what was refused stays refused, and its work has one name."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.cycle import resend
from consumer.cycle.messages import count_in, retry_message, work_key
from consumer.delivery.entries import ADDED_BYTES, MOST_BYTES, MOST_FIELDS, Entry, entry_of
from consumer.maintenance_channel import CHANNEL
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.states import LetterState
from contract import keys
from contract.messages import UndecodableMessage, decode_task

ENTRY = "1762894800000-0"
COUNTED = ("attempt", "waits")
texts = st.sampled_from(["", "-3", "0", "1", "cycle", "ohlc_daily", "rows:0", "2025-11-11", "no", "a\x01b", "\udcff"])
names = st.sampled_from(
    ["task", "trading_day", "day", "cycle", "part", "attempt", "waits", "force", "rule", "request", "requested_by", "x"]
)
messages = st.dictionaries(names, st.one_of(texts, st.text()), min_size=1)


def readable(fields: dict[str, str]) -> bool:
    try:
        decode_task(fields)
    except UndecodableMessage:
        return False
    return True


@given(fields=messages, attempt=st.integers(1, 9), waits=st.integers(0, 9))
@example(fields={"task": "cycle", "attempt": "-3"}, attempt=2, waits=0)
@example(fields={"task": "cycle", "waits": "some"}, attempt=1, waits=3)
@example(fields={"task": "cycle", "request": "a\x01b"}, attempt=1, waits=3)
@example(fields={"\xff": "\xff"}, attempt=1, waits=1)
def test_a_refused_message_stays_refused_and_as_it_was_however_often_it_is_tried_again(
    fields: dict[str, str], attempt: int, waits: int
) -> None:
    first = retry_message(ENTRY, fields, attempt=attempt, waits=waits)
    second = retry_message("1762894900000-0", first.fields, attempt=attempt + 1, waits=waits + 1)
    assert readable(first.fields) == readable(second.fields) == readable(fields)
    if not readable(fields):
        kept = {name: text for name, text in fields.items() if name not in COUNTED}
        assert kept.items() <= second.fields.items()


@given(fields=messages)
@example(fields={"\xff": "\xff"})
@example(fields={"task": "cycle", "attempt": "-3"})
def test_what_is_tried_again_has_one_name_from_the_first_time_on(fields: dict[str, str]) -> None:
    first = retry_message(ENTRY, fields, attempt=1, waits=1)
    assert first.key == work_key(first.fields) != ""
    assert retry_message("1762894900000-0", first.fields, attempt=2, waits=2).key == first.key


def test_tries_are_counted_also_of_a_message_that_nobody_can_read() -> None:
    fields = {"\xff": "\xff"}
    for attempt in (1, 2, 3):
        fields = retry_message(ENTRY, fields, attempt=attempt, waits=attempt).fields
        assert (count_in(fields, "attempt", least=1), count_in(fields, "waits", least=0)) == (attempt, attempt)
    for text in ("", "-3", "no", "9" * 30, "\u0663"):
        assert count_in({"attempt": text}, "attempt", least=1) == 1


@pytest.mark.parametrize(
    "small",
    [
        {"task": "cycle"},
        {"task": "cycle", "requested_by": "me" * 60},
        {"task": "no"},
        {"task": "cycle", "attempt": "x"},
    ],
)
@pytest.mark.parametrize("filled", ["bytes", "fields"])
def test_the_largest_message_is_still_one_when_it_is_tried_again_or_replayed(
    small: dict[str, str], filled: str
) -> None:
    if filled == "bytes":
        said = {**small, "note": "x" * (MOST_BYTES - len("note") - sum(map(len, [*small, *small.values()])))}
    else:
        said = {**small, **{f"n{number}": "v" for number in range(MOST_FIELDS - len(small))}}
    assert not taken(said).oversize
    first = retry_message(ENTRY, taken(said).fields, attempt=2, waits=999_999)
    assert not taken(first.fields).oversize
    second = retry_message("1762894900000-0", taken(first.fields).fields, attempt=999_999, waits=999_999)
    assert not taken(second.fields).oversize
    if readable(said):
        resent = resend.message_again(letter_of(second.fields), {})
        assert not taken(resent).oversize


@pytest.mark.parametrize("name", ["attempt", "request", "requested_by", "refused_entry", "note"])
def test_a_giant_is_none_the_less_one_for_the_name_of_its_field(name: str) -> None:
    assert taken({"task": "cycle", name: "x" * (MOST_BYTES + ADDED_BYTES)}).oversize


def taken(fields: dict[str, str]) -> Entry:
    return entry_of(ENTRY, {name.encode(): text.encode() for name, text in fields.items()}, CHANNEL)


def letter_of(fields: dict[str, str]) -> KeptLetter:
    return KeptLetter(
        dead_letter_id=123_456_789, stream=keys.TASKS.name, entry_id=ENTRY, reason="too often", fingerprint="x",
        deliveries=1, dead_at=dt.datetime(2025, 11, 11, tzinfo=dt.UTC), fields=fields, trading_day=None, task=None,
        part=None, state=LetterState.OPEN, settled_at=None, settled_by=None, settled_reason=None,
    )  # fmt: skip
