"""What the vendor's answers mean, body by body."""

import datetime as dt
import json

import msgspec
import pytest

from consumer.massive.answers import LONGEST_RETRY_AFTER, Answer, parse_retry_after, read_page
from consumer.massive.envelope import Envelope, PageReader, Undecodable
from consumer.massive.wire_rows import RangeRow
from consumer.vendor.errors import (
    BadRequest,
    EndpointNotFound,
    KeyRejected,
    NotEntitled,
    NotYetPublished,
    OutsidePlanTimeframe,
    ProviderUnavailable,
    RateLimited,
    TickerNotFound,
    VendorError,
)

READER = PageReader(RangeRow, msgspec.json.Decoder(Envelope[list[RangeRow]]).decode)

NOT_ENTITLED = "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing"
TIMEFRAME = "Your plan doesn't include this data timeframe. Please upgrade your plan"
TODAY = "Attempted to request today's data before end of day. Please upgrade your plan"
TOO_MANY = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."
HTML_504 = b"<html>\r\n<head><title>504 Gateway Time-out</title></head><body></body></html>"


def refusal(**fields: str) -> bytes:
    return json.dumps({"status": "ERROR", "request_id": "r-1", **fields}).encode()


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (400, refusal(error="Could not parse the time parameter"), BadRequest),
        (401, refusal(error="Unknown API Key"), KeyRejected),
        (401, b"", KeyRejected),
        (403, refusal(status="NOT_AUTHORIZED", message=NOT_ENTITLED), NotEntitled),
        (403, refusal(status="NOT_AUTHORIZED", error=NOT_ENTITLED), NotEntitled),
        (403, refusal(status="NOT_AUTHORIZED", message=TIMEFRAME), OutsidePlanTimeframe),
        (403, refusal(status="NOT_AUTHORIZED", message=TODAY), NotYetPublished),
        (403, refusal(error="Unknown API Key"), KeyRejected),
        (403, b"<html><title>Access denied</title></html>", ProviderUnavailable),
        (403, b"", ProviderUnavailable),
        (404, refusal(status="NOT_FOUND", message="Ticker not found."), TickerNotFound),
        (404, b"", TickerNotFound),
        (404, b"404 page not found", EndpointNotFound),
        (429, refusal(error=TOO_MANY), RateLimited),
        (429, b"", RateLimited),
        (408, b"", ProviderUnavailable),
        (418, b"", BadRequest),
        (499, b"", ProviderUnavailable),
        (500, refusal(error="internal"), ProviderUnavailable),
        (504, HTML_504, ProviderUnavailable),
        (302, b"", ProviderUnavailable),
        (200, refusal(status="NOT_AUTHORIZED", message=NOT_ENTITLED), NotEntitled),
        (200, refusal(status="NOT_AUTHORIZED", message=TODAY), NotYetPublished),
        (200, refusal(status="NOT_FOUND", message="Ticker not found."), TickerNotFound),
        (200, refusal(error=TOO_MANY), RateLimited),
        (200, refusal(error="Unknown API Key"), KeyRejected),
        (200, refusal(error="something broke"), ProviderUnavailable),
        (200, HTML_504, Undecodable),
        (200, b"", Undecodable),
        (200, b"[]", Undecodable),
        (200, b"null", Undecodable),
        (200, b'{"status":"OK","results":[{"t":1', Undecodable),
        (200, b'{"results":"none"}', Undecodable),
    ],
)
def test_a_refusal_becomes_the_error_that_says_what_to_do_next(
    status: int, body: bytes, meaning: type[VendorError]
) -> None:
    with pytest.raises(VendorError) as caught:
        read_page(Answer(path="/v1/somewhere", status=status, body=body), READER)
    assert type(caught.value) is meaning
    assert "/v1/somewhere" in str(caught.value)


@pytest.mark.parametrize("results", ["", ',"results":[]', ',"results":null'])
def test_absent_empty_and_null_results_are_an_explicit_empty(results: str) -> None:
    body = f'{{"queryCount":0,"resultsCount":0,"adjusted":true,"status":"OK"{results}}}'.encode()
    assert read_page(Answer(path="/", status=200, body=body), READER).rows == []


def test_delayed_is_as_good_as_ok() -> None:
    body = b'{"status":"DELAYED","results":[{"t":1,"v":2}]}'
    assert read_page(Answer(path="/", status=200, body=body), READER).rows == [RangeRow(t=1, v=2.0)]


def test_the_vendors_words_and_request_id_reach_the_message() -> None:
    with pytest.raises(NotEntitled, match=r"not entitled to this data.*request r-1"):
        read_page(Answer(path="/", status=403, body=refusal(message=NOT_ENTITLED)), READER)


def test_a_429_carries_the_wait_that_the_vendor_asked_for() -> None:
    with pytest.raises(RateLimited) as caught:
        read_page(Answer(path="/", status=429, body=b"", retry_after=dt.timedelta(seconds=7)), READER)
    assert caught.value.retry_after == dt.timedelta(seconds=7)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("12", dt.timedelta(seconds=12)),
        ("Thu, 16 Jul 2026 00:00:30 GMT", dt.timedelta(seconds=30)),
        ("Wed, 15 Jul 2026 00:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e99", None),
        ("inf", None),
        ("Infinity", None),
        ("-inf", None),
        ("1e-400", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        ("Thu, 32 Jul 2026 00:00:30 GMT", None),
        ("", None),
        ("86400", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_hours(header: str | None, wait: dt.timedelta | None) -> None:
    assert parse_retry_after(header, now=dt.datetime(2026, 7, 16, tzinfo=dt.UTC)) == wait
