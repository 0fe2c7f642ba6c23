"""From which day on a symbol stands as it does: by the listing, the vendor's day, the bars or a rename."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from market.listing_days import Seen, Stand, stands_since
from market.trading_calendar import TradingCalendar

BEGINS = dt.date(2025, 9, 2)
CALENDAR = TradingCalendar()
MON, TUE, WED, THU, FRI = (dt.date(2025, 11, day) for day in (10, 11, 12, 13, 14))
NEXT_MON = dt.date(2025, 11, 17)
LISTED = Stand(first=BEGINS, is_listed=True, state="listed")


def since(was: Stand | None, **seen: Any) -> dt.date:
    said = {
        "day": FRI,
        "is_listed": seen.get("state", "listed") == "listed",
        "state": "listed",
        "last_seen": FRI,
    } | seen
    return stands_since(Seen(**said), was, begins=BEGINS, next_session=lambda day: CALENDAR.session_after(day).day)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, FRI),
        ({"came_on": NEXT_MON}, NEXT_MON),
        ({"since": WED}, WED),
        ({"since": dt.date(2025, 8, 4)}, FRI),
    ],
    ids=[
        "a newcomer is listed on the day of the listing that brought it",
        "one that a listing of the weekend brought is listed from the next session on",
        "a company with a first session of its own is listed since that",
        "a first session before all history says nothing of who was listed then",
    ],
)
def test_a_newcomer_is_listed_since(seen: dict[str, Any], expected: dt.date) -> None:
    assert since(None, **seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"state": "unlisted", "last_seen": WED}, THU),
        ({"state": "unlisted", "last_seen": WED, "last_traded": THU}, FRI),
        ({"state": "unlisted", "last_seen": FRI}, NEXT_MON),
        ({"state": "delisted", "last_seen": TUE, "delisted_on": THU}, THU),
        ({"state": "delisted", "last_seen": THU, "delisted_on": TUE}, FRI),
        ({"state": "renamed", "last_seen": TUE, "renamed_on": WED}, WED),
        ({"state": "otc"}, FRI),
    ],
    ids=[
        "the session after the last listing that had it",
        "the session after it last traded",
        "over a weekend the next session",
        "the vendor's day",
        "never before the session after the last listing, whatever the vendor says",
        "the first session under another symbol",
        "the day of the listing that shows it elsewhere",
    ],
)
def test_one_that_left_is_gone_since(seen: dict[str, Any], expected: dt.date) -> None:
    assert since(LISTED, **seen) == expected


def test_one_that_comes_back_was_away_until_then() -> None:
    assert since(Stand(first=TUE, is_listed=False, state="unlisted"), came_on=FRI) == FRI


def test_one_whose_rename_is_undone_was_never_away() -> None:
    renamed = Stand(first=TUE, is_listed=False, state="renamed")
    assert since(renamed) == TUE
    assert since(renamed, renamed_on=TUE) == FRI, "it is another company's now"
