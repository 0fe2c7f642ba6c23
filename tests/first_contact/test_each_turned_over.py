"""Each assumption about the vendor, kept by the simulated market and turned over: what is seen, and what follows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from consumer.massive.first_contact.assumed import ASSUMED
from consumer.vendor.first_contact import MOST_REQUESTS, ContactReport, Standing
from simulated_market.assumptions import ShareBasis
from simulated_market.bucket import BucketAssumptions
from simulated_market.faults.fault_set import Fault, FaultKind
from tests.contract.packages import ROOT
from tests.first_contact.making import (
    ACCESS,
    EVENING,
    MORNING,
    NOON,
    SATURDAY,
    FakeTime,
    about,
    contact,
    market,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TODAY = dt.date(2025, 11, 11)


class Said(msgspec.Struct, frozen=True):
    """What is to be said of one assumption: these words, and these settings to set."""

    name: str
    words: str
    settings: dict[str, str] = {}


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor that is otherwise in several ways that do not touch each other."""

    said: tuple[Said, ...]
    now: dt.datetime = NOON
    free: bool = False
    assumed: dict[str, Any] = {}
    faults: tuple[Fault, ...] = ()
    bucket: BucketAssumptions = BucketAssumptions(access_key=ACCESS)
    environment: dict[str, str] = {}


def fault(kind: FaultKind, endpoint: str, **more: Any) -> Fault:
    return Fault(kind=kind, endpoint=endpoint, **more)


SMALL = {"most_rows": 15}
OLD = dt.date(2023, 9, 1)  # the session 800 days before
TURNED = (
    Turned(
        faults=(Fault(kind=FaultKind.RATE_LIMITED, skip=3, times=1),),
        bucket=BucketAssumptions(out_at=dt.time(15)),
        said=(
            Said("request_limit", "429 after 3 requests", {"MASSIVE_REQUESTS_PER_MINUTE": "3"}),
            Said("file_times", "written 15:00 ET", {"MAINTENANCE_DEADLINE": "4h"}),
        ),
    ),
    Turned(
        environment={"MASSIVE_REQUESTS_PER_MINUTE": "5", "EARLY_EXTENDED_CLOSE": "20:00"},
        faults=(fault(FaultKind.NOT_ENTITLED, "grouped_daily", day=TODAY),),
        bucket=BucketAssumptions(minutes_late=dt.timedelta(days=4)),
        said=(
            Said("request_limit", "no refusal", {"MASSIVE_REQUESTS_PER_MINUTE": "0"}),
            Said("early_extended_close", "began at 16:5", {"EARLY_EXTENDED_CLOSE": "17:00"}),
            Said("same_day", "not entitled"),
            Said("file_times", "no minute file of 2025-11-07", {"MAINTENANCE_DEADLINE": "12h"}),
        ),
    ),
    Turned(
        now=MORNING,
        free=True,
        assumed={"refused_until": dt.time(10)},
        said=(Said("newest_session", "before end of day"),),
    ),
    Turned(
        now=EVENING,
        faults=(fault(FaultKind.NOT_ENTITLED, "grouped_daily", day=TODAY), fault(FaultKind.NOT_ENTITLED, "floats")),
        bucket=BucketAssumptions(listable=False),
        said=(
            Said("same_day", "not entitled", {"MAINTENANCE_SCHEDULE": "CLOSED+5h"}),
            Said("floats", "not entitled"),
            Said("file_times", "GenericError"),
        ),
    ),
    Turned(
        now=SATURDAY,
        faults=(
            fault(FaultKind.OTHER_DAY, "grouped_daily", day=SATURDAY.date(), other_day=dt.date(2025, 11, 7)),
            fault(FaultKind.NOT_FOUND, "floats"),
        ),
        said=(Said("closed_day", "rows"), Said("floats", "404")),
    ),
    Turned(
        now=EVENING,
        free=True,
        assumed={"free_history_days": None, "snapshot_on_free": True},
        said=(
            Said("history", "further than two years"),
            Said("snapshot", "given to a plan without the current day"),
        ),
    ),
    Turned(now=EVENING, free=True, assumed={"same_evening": True}, said=(Said("snapshot", "refused"),)),
    Turned(
        environment={"OHLC_SESSIONS": "900", "SLOT_SESSIONS": "20"},
        faults=(fault(FaultKind.OUTSIDE_TIMEFRAME, "grouped_daily", day=OLD),),
        assumed={"range_minutes": 5000, "cuts_silently": True},
        said=(
            Said("history", "data timeframe", {"OHLC_SESSIONS": "500"}),
            Said("one_answer_a_ticker", "cut without a word", {"SLOT_SESSIONS": "6"}),
        ),
    ),
    Turned(
        faults=(
            fault(FaultKind.NOT_ENTITLED, "grouped_daily", day=OLD),
            fault(FaultKind.NOT_ENTITLED, "range_bars"),
            fault(FaultKind.NOT_ENTITLED, "ticker_details"),
            fault(FaultKind.NOT_ENTITLED, "dividends"),
            fault(FaultKind.BAD_CURSOR, "tickers"),
        ),
        assumed=SMALL,
        bucket=BucketAssumptions(missing=403),
        said=(
            Said("history", "not entitled"),
            Said("one_answer_a_ticker", "not entitled", {"MASSIVE_FLAT_FILES": "s3://flatfiles"}),
            Said("details", "not entitled"),
            Said("dividends_order", "not entitled"),
            Said("next_page", "0 tickers"),
            Said("listing_page", "15 tickers"),
            Said("splits_order", "and a next page"),
            Said("missing_file", "answered 403"),
        ),
    ),
    Turned(
        assumed={
            "half_day_stamp": dt.time(16),
            "fractional_volumes": False,
            "early_extended_close": dt.time(20),
            "range_minutes": 5000,
            "unknown_ticker_is_404": False,
            "upcoming_lacks": dt.date(2025, 11, 27),
            "delay": dt.timedelta(minutes=5),
            "silent_minutes": 0.35,
            "accumulated_over_bars": 1.0,
            "split_day_dividend": ShareBasis.BEFORE,
        },
        said=(
            Said("bar_time", "2025-07-03 16:00 ET"),
            Said("volume", "0 of"),
            Said("early_extended_close", "began at 19:5", {"EARLY_EXTENDED_CLOSE": "20:00"}),
            Said("one_answer_a_ticker", "and a next page"),
            Said("unknown_ticker", "ZZZZZZZ: 200"),
            Said("closures", "2025-11-27 closed"),
            Said("snapshot_delay", "5.0 min ago"),
            Said("silent_minutes", "of the"),
            Said("accumulated", "sum to 1.000"),
            Said("dividend_shares", "that morning's split"),
        ),
    ),
    Turned(
        assumed={"sorts": False, "accumulated_over_bars": 1.4},
        said=(
            Said("listing_page", "not in their order"),
            Said("delisted_order", "not in that order"),
            Said("floats", "not in that order"),
            Said("splits_order", "not in that order"),
            Said("dividends_order", "not in that order"),
            Said("accumulated", "sum to 0.714"),
        ),
    ),
    Turned(
        assumed=SMALL,
        faults=(fault(FaultKind.REPEATED_CURSOR, "tickers"),),
        said=(Said("next_page", "15 tickers"),),
    ),
)


@pytest.mark.parametrize("turned", TURNED, ids=["+".join(one.name for one in turned.said) for turned in TURNED])
async def test_what_is_not_as_assumed_is_said_with_what_follows(turned: Turned) -> None:
    app = market(turned.now, *turned.faults, assumed=turned.assumed, free=turned.free)
    report = await contact(app, turned.now, bucket=turned.bucket, **turned.environment)
    assert report.requests <= MOST_REQUESTS
    for said in turned.said:
        seen = about(report, said.name)
        assert (seen.standing, seen.settings) == (Standing.OTHERWISE, said.settings), seen
        assert said.words in seen.seen
        assert seen.follows, "and what to make of it"


def test_every_assumption_is_turned_over_and_has_its_line_in_the_document() -> None:
    by_themselves = {"key", "sector_ranges"}  # below; and nothing that a vendor could say
    assert {said.name for turned in TURNED for said in turned.said} | by_themselves == set(ASSUMED)
    document = (ROOT / "docs" / "first-contact.md").read_text("utf-8")
    lines = [line.split("`")[1] for line in document.splitlines() if line.startswith("| `")]
    assert lines == list(ASSUMED)


HELD: tuple[tuple[str, dt.datetime, bool, Mapping[str, Any], str], ...] = (
    ("same_day", EVENING, False, {}, "is given at Tue 11 Nov 20:30 ET"),
    ("same_day", EVENING, True, {}, "before end of day"),
    ("closed_day", SATURDAY, False, {}, "results absent"),
    ("history", EVENING, True, {}, "data timeframe"),
    ("next_page", NOON, False, SMALL, "the next page: 200 OK, 15 tickers"),
    ("dividend_shares", NOON, False, {"split_day_dividend": ShareBasis.AFTER}, "that morning's split"),
    ("snapshot", EVENING, True, {}, "not entitled"),
    ("snapshot_delay", NOON, False, {"delay": dt.timedelta(0)}, "0.0 min ago"),
    ("file_times", dt.datetime(2026, 1, 5, 17, 0, tzinfo=dt.UTC), False, {}, "7 day files"),  # of December alone
    ("file_times", dt.datetime(2026, 1, 8, 17, 0, tzinfo=dt.UTC), False, {}, "4 day files"),  # of January alone
)


@pytest.mark.parametrize(("name", "now", "free", "assumed", "words"), HELD)
async def test_what_only_some_plans_and_hours_show_is_seen_there(
    name: str, now: dt.datetime, free: bool, assumed: dict[str, Any], words: str
) -> None:
    seen = about(await contact(market(now, assumed=assumed, free=free), now), name)
    assert (seen.standing, words in seen.seen) == (Standing.HOLDS, True), seen


async def test_a_vendor_as_it_is_assumed_gives_no_finding_and_is_told_by_its_plan() -> None:
    report = await contact(market(NOON), NOON)
    assert report.otherwise == []
    unseen = {one.assumption for one in report.seen if one.standing is Standing.UNSEEN}
    assert unseen == {"closed_day", "next_page", "dividend_shares", "sector_ranges"}
    assert [one.assumption for one in report.seen] == list(ASSUMED)
    assert (report.plan, report.requests) == ("Starter or Developer: 15 minutes late", 28)
    assert [one.number for one in report.exchanges] == list(range(1, 29)), "each request has its outline"
    (minutes,) = [one for one in report.exchanges if one.address.startswith("LIST minute files")]
    assert minutes.sample.endswith("2025-11-10 2025-11-11T16:00Z"), "when each file came, 11:00 ET"
    assert (await contact(market(NOON, assumed={"delay": dt.timedelta(0)}), NOON)).plan == "Advanced: real-time"
    assert (await contact(market(NOON, free=True), NOON)).plan == "Basic (free), or one without the snapshot"


async def test_a_free_plan_is_known_by_its_fifth_request_and_its_minutes_are_waited_for() -> None:
    time = FakeTime()
    limit = Fault(kind=FaultKind.RATE_LIMITED, skip=5, times=1)
    report = await contact(market(NOON, limit, free=True), NOON, time=time)
    seen = about(report, "request_limit")
    assert (seen.standing, seen.settings) == (Standing.HOLDS, {"MASSIVE_REQUESTS_PER_MINUTE": "5"})
    # 15 requests of the API, one of them twice: a minute's wait after each five.
    assert time.waited == [61.0, 61.0]
    assert report.requests <= MOST_REQUESTS


async def test_a_refused_key_ends_the_contact_with_one_request() -> None:
    report = await contact(market(NOON, key="quite-another-key"), NOON)
    assert (report.key_accepted, report.requests) == (False, 1)
    assert [one.assumption for one in report.otherwise] == ["key"]
    assert {one.seen for one in report.seen if one.standing is Standing.UNSEEN} >= {"the key is refused"}


async def test_what_a_gateway_answers_tells_nothing_of_the_vendor() -> None:
    report = await contact(market(NOON, Fault(kind=FaultKind.SERVER_ERROR, endpoint="floats")), NOON)
    seen = about(report, "floats")
    assert (seen.standing, "no answer" in seen.seen) == (Standing.UNSEEN, True)


async def test_thirty_requests_are_never_exceeded_and_what_they_did_not_reach_is_said() -> None:
    report = await contact(market(NOON, Fault(kind=FaultKind.HTML_OK, every=2)), NOON)
    assert report.requests == MOST_REQUESTS
    assert "30 requests were made before it" in about(report, "history").seen


async def test_a_bucket_that_lets_us_in_and_is_not_set_is_a_setting_that_follows() -> None:
    seen = about(await contact(market(NOON), NOON, MASSIVE_FLAT_FILES=""), "file_times")
    assert (seen.standing, seen.settings) == (Standing.HOLDS, {"MASSIVE_FLAT_FILES": "s3://flatfiles"})


ODD: tuple[Any, ...] = (
    [],
    {"status": "OK"},
    {"results": [1, None, "x", [], {}]},
    {"results": {"ticker": []}},
    {"results": [{"T": 7, "v": "many", "c": None, "t": "noon", "ticker": None, "date": "soon", "exchange": "NYSE"}]},
    {"results": [{"T": "AAPL", "v": 1e308, "c": 1e308, "t": 10**18, "ticker": "A"}], "next_url": ":/?\x00"},
    {"tickers": [{"ticker": "AAPL", "min": {"t": 10**18, "av": 1}}, {"ticker": "B", "min": []}], "next_url": 7},
    [{"exchange": "NYSE", "date": "2025-13-99", "status": []}],
)


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
async def test_whatever_shape_answers_have_the_contact_ends_with_a_report_that_can_be_sent(answer: Any) -> None:
    async def same(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/{anything:.*}", same)
    report = await contact(app, NOON)
    assert [one.assumption for one in report.seen] == list(ASSUMED)
    assert msgspec.json.decode(msgspec.json.encode(report), type=ContactReport) == report
