"""Bodies that are not quite what the vendor documents."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.massive.answers import Answer, read_page
from consumer.massive.envelope import BareReader, Envelope, PageReader, Undecodable, reader_of_one, rows_of
from consumer.massive.wire_rows import RangeRow
from consumer.postgres.evidence import evidence_json
from consumer.vendor.errors import VendorError
from consumer.vendor.reference_rows import newest_listing
from consumer.vendor.rows import ClosureRow, DailyRow, Flaw, TickerDetails, TickerRow
from consumer.vendor.sieve import Sieve

DAILY = PageReader(DailyRow, msgspec.json.Decoder(Envelope[list[DailyRow]]).decode)
RANGE = PageReader(RangeRow, msgspec.json.Decoder(Envelope[list[RangeRow]]).decode)
TICKERS = PageReader(TickerRow, msgspec.json.Decoder(Envelope[list[TickerRow]]).decode)
DETAILS = reader_of_one(TickerDetails, msgspec.json.Decoder(Envelope[TickerDetails]).decode)

BAR = {"T": "BRK.A", "o": 1.5, "h": 2, "l": 1, "c": 2, "v": 10.25, "t": 1602705600000, "vw": 1.7, "n": 3}
GOOD = json.dumps({"status": "OK", "request_id": "r", "resultsCount": 2, "results": [BAR, BAR]}).encode()


def body_of(*rows: object, **envelope: object) -> bytes:
    return json.dumps({"status": "OK", **envelope, "results": rows}).encode()


def test_unknown_fields_are_ignored_and_volumes_stay_fractional() -> None:
    page = DAILY.read(body_of({**BAR, "dv": "10.25", "new": [1]}, surprise={}))
    assert [row.v for row in page.rows] == [10.25]


@pytest.mark.parametrize("bad", [{**BAR, "o": None}, {**BAR, "T": 5}, {"T": "A"}, None, 7, "row", []])
def test_one_unreadable_row_costs_one_row(bad: object) -> None:
    page = DAILY.read(body_of(BAR, bad, BAR, resultsCount=3))
    assert (len(page.rows), page.undecodable, page.envelope.results_count) == (2, 1, 3)


def test_a_wrong_optional_field_costs_that_field_only() -> None:
    page = TICKERS.read(body_of({"ticker": "A", "cik": ["?"], "name": "Agilent"}))
    assert page.rows == [TickerRow(ticker="A", name="Agilent")]


def test_integral_floats_are_integers() -> None:
    page = RANGE.read(b'{"results":[{"t":1602705600000.0,"v":1}]}')
    assert page.rows == [RangeRow(t=1602705600000, v=1.0)]


def test_not_a_number_is_read_so_that_it_can_be_counted() -> None:
    page = RANGE.read(b'{"results":[{"t":1,"v":NaN},{"t":2,"v":1e999},{"t":3,"v":4}]}')
    assert [row.t for row in page.rows] == [1, 2, 3]


def test_a_wrong_envelope_field_does_not_cost_the_rows() -> None:
    page = RANGE.read(b'{"status":"OK","request_id":17,"count":"many","results":[{"t":3,"v":4}]}')
    assert (page.rows, page.envelope.count) == ([RangeRow(t=3, v=4.0)], None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"results":[{"ticker":"A","name":"Agi\\u0000lent"}]}',
        b'{"results":[{"ticker":"A","name":"Agi\\ud800lent"}]}',
        b'{"results":[{"ticker":"A","name":"Agi\xfflent"}]}',
        b'{"results":[{"ticker":"A","name":"Agi\tlent"}]}',
    ],
    ids=["NUL", "half a surrogate pair", "no UTF-8", "control character"],
)
def test_a_text_that_is_none_costs_its_field_and_is_kept_as_evidence(body: bytes) -> None:
    sieve = Sieve(dt.date(2026, 7, 15))
    assert newest_listing(rows_of([TICKERS.read(body)], sieve), sieve).rows == [TickerRow(ticker="A")]
    (lost,) = sieve.set_aside
    assert (lost.symbol, lost.field, dict(sieve.rejected)) == ("A", "name", {"field name": 1})
    assert "lent" in evidence_json(lost.evidence)


def test_a_symbol_with_a_nul_in_it_costs_its_row() -> None:
    sieve = Sieve(dt.date(2026, 7, 15))
    assert newest_listing(rows_of([TICKERS.read(body_of({"ticker": "A\0B"}, {"ticker": "C"}))], sieve), sieve).rows == [
        TickerRow(ticker="C")
    ]
    assert dict(sieve.rejected) == {Flaw.SYMBOL: 1}


WHOLE = b'{"T":"GOOD","o":1.5,"h":2,"l":1,"c":2,"v":10.25,"t":1602705600000}'


@pytest.mark.parametrize(
    "bad",
    [
        WHOLE.replace(b"10.25", b"1\xff.25"),
        WHOLE.replace(b"10.25", b"1x.25"),
        WHOLE.replace(b"10.25", b"1" * 6_000),
        WHOLE.replace(b'"GOOD"', b'"GOOD'),
        WHOLE.replace(b'"GOOD"', b'GOOD"'),
        WHOLE.replace(b"10.25", b"[" * 100_000),
        WHOLE.replace(b'"c":2,', b'"c":'),
    ],
    ids=["no UTF-8", "no number", "digits without end", "quote lost", "quote lost before", "depth", "value lost"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_is_no_json_costs_itself_wherever_it_stands(bad: bytes, place: int) -> None:
    rows = [WHOLE, WHOLE]
    rows.insert(place, bad)
    page = DAILY.read(b'{"status":"OK","resultsCount":3,"results":[' + b" , ".join(rows) + b'],"request_id":"r"}')
    kept = [row for row in page.rows if row.v == 10.25]
    assert len(kept) == 2
    assert (page.envelope.request_id, page.envelope.results_count) == ("r", 3)
    assert len(page.rows) + page.undecodable == 3


def test_a_byte_that_is_overwritten_anywhere_in_a_row_or_beside_it_costs_no_other_row() -> None:
    rows = [WHOLE.replace(b"GOOD", name) for name in (b"A", b"B", b"C", b"D", b"E")]
    head = b'{"status":"OK","resultsCount":5,"results":[' + b",".join(rows[:2])
    body = head + b"," + b",".join(rows[2:]) + b'],"request_id":"r"}'
    for at in range(len(head), len(head) + len(rows[2]) + 2):
        for byte in b'\x00\xff{}[],:"\\ x9':
            page = DAILY.read(body[:at] + bytes([byte]) + body[at + 1 :])
            assert {row.T for row in page.rows} >= {"A", "B", "D", "E"}, (at, byte)
            assert len(page.rows) + page.undecodable >= 5, (at, byte)


@pytest.mark.parametrize("junk", [
    b'"z":1x5,"x":[{"a":1},{"b":2}]', b'"z":1x5,"x":"}],"', b'"z":1x5,"x":"},{"',
    b'"z":1x5,"x":[{"T":"EVIL"},' + WHOLE + b",{}]",
])  # fmt: skip
def test_what_a_spoiled_row_has_in_it_is_no_row_and_no_end_of_the_list(junk: bytes) -> None:
    bad = WHOLE[:-1] + b"," + junk + b"}"
    body = b'{"status":"OK","results":[' + b",".join([WHOLE, bad, WHOLE]) + b'],"request_id":"r"}'
    page = DAILY.read(body)
    assert [row.T for row in page.rows] == ["GOOD", "GOOD"]
    assert page.envelope.request_id == "r"


def test_a_body_that_was_cut_is_no_answer_though_its_rows_are_sound() -> None:
    body = b'{"status":"OK","results":[' + WHOLE + b"," + WHOLE + b'],"request_id":"r"}'
    for cut in range(1, len(body)):
        with pytest.raises(Undecodable):
            DAILY.read(body[:cut])


def test_an_array_without_an_envelope_that_was_cut_is_no_answer() -> None:
    body = b'[{"date":"2025-11-28","status":"early-close"},{"date":"2025-12-25","status":"closed"}]'
    assert len(BareReader(ClosureRow).read(body).rows) == 2
    for cut in range(1, len(body)):
        with pytest.raises(Undecodable):
            BareReader(ClosureRow).read(body[:cut])


def test_a_page_does_not_end_the_list_because_its_next_url_cannot_be_read() -> None:
    with pytest.raises(Undecodable, match="next_url"):
        TICKERS.read(b'{"results":[{"ticker":"A"}],"next_url":["?"]}')


@pytest.mark.parametrize("request_id", ["x" * 1_000_000, "a\0b", "", 17])
def test_an_envelope_field_beyond_its_bounds_is_left_out_and_noted(request_id: object) -> None:
    page = TICKERS.read(body_of({"ticker": "A"}, request_id=request_id))
    assert (page.envelope.request_id, [one.field for one in page.set_aside]) == (None, ["request_id"])


def test_one_object_reads_like_a_list_of_one() -> None:
    assert DETAILS.read(b'{"results":{"ticker":"A","sic_code":"3826"}}').rows[0].sic_code == "3826"
    assert DETAILS.read(b'{"results":{"ticker":"A","total_employees":"x"}}').rows == [TickerDetails(ticker="A")]
    assert DETAILS.read(b'{"status":"OK"}').rows == []


def read_any(body: bytes, status: int = 200) -> None:
    for reader in (DAILY, RANGE, TICKERS, DETAILS):
        try:
            page: Any = read_page(Answer(path="/", status=status, body=body), reader)
        except VendorError:
            continue
        assert isinstance(page.rows, list)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BAR, "ticker"]), inner, max_size=4),
    max_leaves=8,
)
envelopes = st.dictionaries(
    st.sampled_from(
        ["status", "results", "next_url", "ticker", "adjusted", "count", "resultsCount", "error", "message"]
    ),
    json_values,
)


@settings(max_examples=200, deadline=None)
@given(envelopes, st.sampled_from([200, 400, 401, 403, 404, 429, 500]))
def test_any_json_is_a_page_or_a_typed_error(fields: dict[str, object], status: int) -> None:
    read_any(json.dumps(fields).encode(), status)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 12), st.binary(max_size=6))
def test_a_mangled_body_is_a_page_or_a_typed_error(position: int, cut: int, noise: bytes) -> None:
    read_any(GOOD[:position] + noise + GOOD[position + cut :])


@pytest.mark.parametrize("make", [lambda: b"[" * 200_000, lambda: b'{"results":' * 100_000, lambda: b"9" * 10_000])
def test_bottomless_bodies_are_typed_errors(make: Callable[[], bytes]) -> None:
    read_any(make())
