"""What MONITOR tells of messages and verdicts becomes records; what it tells of anything else does not."""

from __future__ import annotations

import json

from tests.crash.recording import STATUS, Listener
from tests.histories.records import Gone, Published
from tests.simulator.gated_redis import script_names

SETTLE = next(sha for sha, name in script_names().items() if name == "settle")


def monitored(*words: str, at: float = 1.5, who: str = "unix:/r.sock", db: int = 2) -> str:
    """A line as the server writes it."""
    escaped = ['"' + json.dumps(word, ensure_ascii=True)[1:-1] + '"' for word in words]
    return f"{at:.6f} [{db} {who}] {' '.join(escaped)}"


def settlement(entry: str, key: str, verdict: str) -> str:
    items = json.dumps([[entry, key, verdict, 'a "quoted" reason', []]])
    return monitored("EVALSHA", SETTLE, "1", "maintenance:tasks", "maintenance", "w1", "2000", "10000", items)


def heard(*lines: str) -> Listener:
    listener = Listener(2)
    for line in lines:
        listener.hear(line)
    return listener


def test_a_message_is_gone_when_its_settlement_has_deleted_it_and_not_before() -> None:
    deleted = monitored("XDEL", "maintenance:tasks", "7-0", who="lua", at=2.0)
    settled = settlement("7-0", "3/ohlc_daily/bars:2025-11-11", "ack")

    assert heard(settled).history == []
    assert heard(deleted).history == [], "of another script"
    assert heard(settled, monitored("GET", "x"), deleted).history == [
        Gone(at=2.0, entry="7-0", by="w1", holder=None, cycle=3, part="ohlc_daily/bars:2025-11-11")
    ]
    [retried] = heard(settlement("7-0", "3/ohlc_daily/x", "retry"), deleted).history
    assert isinstance(retried, Gone)
    assert retried.leads


def test_a_request_that_is_gone_names_no_part() -> None:
    deleted = monitored("XDEL", "maintenance:tasks", "7-0", who="lua")
    for key in ("", "2025-11-11/POST_MARKET+1h", "request:5-0", "3/pass"):
        [gone] = heard(settlement("7-0", key, "ack"), deleted).history
        assert isinstance(gone, Gone)
        assert (gone.cycle, gone.part) == (None, None)


def test_a_published_verdict_is_read_with_what_it_vouches_for_and_a_flush_takes_it_away() -> None:
    text = json.dumps({"state": "final", "data_sets": {"daily_bars": {"loaded": 5}}, "why": "tab\tand é"})
    listener = heard(
        monitored("SET", f"{STATUS}2025-11-11", text, "EX", "9"),
        monitored("SET", f"{STATUS}2025-11-11", text, db=1),
        monitored("FLUSHALL", at=3.0),
    )

    first, second = listener.history
    assert isinstance(first, Published)
    assert (first.day, first.state, first.claims) == ("2025-11-11", "final", {"daily_bars": 5})
    assert isinstance(second, Published)
    assert second.state is None
