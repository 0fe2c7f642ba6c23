"""Holds the listing to: one field, or an absence, takes no symbol out of the market whose bars show that it trades."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from market.listing import Absence, Absent, Place, Row, Stored, delisting_day, is_doubtful, place, weigh_absence

BEFORE, DAY, AFTER = (dt.date(2025, 11, day) for day in (10, 11, 12))
TRADES = Stored(is_company=True, trades=True)


@pytest.mark.parametrize(
    ("row", "stored", "wanted"),
    [
        pytest.param({"type": "CS"}, Stored(), (Place.LISTED, ""), id="a row like any other"),
        pytest.param({"active": False}, TRADES, (Place.LISTED, "active: false"), id="active: false, and it trades"),
        pytest.param({"active": False}, Stored(), (Place.NOT_LISTED, ""), id="active: false, and it does not"),
        pytest.param({"market": "otc"}, TRADES, (Place.LISTED, "market: otc"), id="otc, and the grouped day has it"),
        pytest.param(
            {"market": "otc"}, Stored(is_company=True), (Place.OVER_THE_COUNTER, ""),
            id="otc, and it has not",
        ),
        pytest.param({"symbol": "ZVZZT"}, Stored(), (Place.TEST, ""), id="a test issue"),
        pytest.param(
            {"symbol": "ZVZZT", "market": "otc"}, Stored(), (Place.TEST, ""),
            id="a test issue over the counter",
        ),
        pytest.param(
            {"symbol": "ZVZZT", "name": "NASDAQ TEST STOCK", "type": "CS"}, Stored(), (Place.TEST, ""), id="by name"
        ),
        pytest.param({"symbol": "IBO", "type": "CS"}, Stored(), (Place.LISTED, ""), id="IBO by its type"),
        pytest.param({"symbol": "IBO", "has_code": True}, Stored(), (Place.LISTED, ""), id="IBO by a code"),
        pytest.param({"symbol": "CBX"}, Stored(is_company=True), (Place.LISTED, ""), id="a company as stored"),
        pytest.param({"symbol": "NTEST.G", "name": "X"}, Stored(trades=True), (Place.TEST, ""), id="test issues trade"),
    ],
)  # fmt: skip
def test_a_row_is_placed_by_all_that_is_known(row: dict[str, Any], stored: Stored, wanted: tuple[Place, str]) -> None:
    read = Row(**{"symbol": "A", **row})
    assert place(read, stored) == wanted
    assert is_doubtful(read) or wanted == (Place.LISTED, "")


def absent(**fields: Any) -> Absent:
    return Absent(**{"symbol": "A", "last_traded": DAY, "newest_session": DAY, **fields})


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        pytest.param({}, Absence.KEPT, id="it trades"),
        pytest.param({"missed": 2}, Absence.KEPT, id="and trades, though two further listings lack it"),
        pytest.param({"missed": 3}, Absence.UNLISTED, id="until a third does"),
        pytest.param({"last_traded": BEFORE}, Absence.UNLISTED, id="it traded no more in the newest session"),
        pytest.param({"last_traded": None}, Absence.UNLISTED, id="it never traded"),
        pytest.param({"last_traded": None, "newest_session": None}, Absence.UNLISTED, id="no bars are stored"),
        pytest.param({"delisted_on": DAY}, Absence.DELISTED, id="the vendor lists it as delisted"),
        pytest.param({"delisted_on": BEFORE}, Absence.KEPT, id="and it traded after that"),
        pytest.param({"delisted_on": AFTER}, Absence.KEPT, id="delisted in days to come"),
        pytest.param(
            {"delisted_on": AFTER, "last_traded": BEFORE}, Absence.UNLISTED,
            id="to come, and it trades no more",
        ),
        pytest.param(
            {"delisted_on": BEFORE, "last_traded": BEFORE}, Absence.DELISTED,
            id="delisted after its last session",
        ),
    ],
)  # fmt: skip
def test_an_absence_is_held_against_the_bars(fields: dict[str, Any], wanted: Absence) -> None:
    assert weigh_absence(absent(**fields), day=DAY) is wanted


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-11-11T00:00:00Z", DAY),
        ("2025-11-11", DAY),
        (None, None),
        ("", None),
        ("soon", None),
        ("2025-13-40T0", None),
    ],
)
def test_a_delisting_that_cannot_be_read_says_nothing(text: str | None, day: dt.date | None) -> None:
    assert delisting_day(text) == day
