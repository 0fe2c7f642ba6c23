"""Holds the rules of identity to docs/evidence.md: one field never cuts a history that the bars prove."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from market.companies import Change, Kind, Known, Listed, Trading, agreement, continues

from market.identity import decide, questions

YESTERDAY, DAY, TOMORROW = (dt.date(2025, 11, day) for day in (10, 11, 12))
TRADED_ON = Trading(quiet=False, close_before=10.0, last=YESTERDAY)  # and of the day itself there are no bars yet
WENT_ON = Trading(quiet=False, close_before=10.0, first_from=DAY, open_from=10.4, last=DAY)
FELL = Trading(quiet=False, close_before=10.0, first_from=DAY, open_from=2.0, last=DAY)
SPLIT = Trading(quiet=False, close_before=10.0, first_from=DAY, open_from=2.0, last=DAY, factor=0.2)
NOTHING = Trading()


def next_session(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=1)


def known(symbol: str, **fields: Any) -> Known:
    return Known(symbol=symbol, **{"active": True, "state": "listed", "last_seen": YESTERDAY, **fields})


def changes(
    universe: list[Known], listing: list[Listed], bars: dict[str, Trading] | None = None, *, day: dt.date = DAY
) -> list[Change]:
    of = {one.symbol: one for one in universe}
    asked = questions(of, {one.symbol: one for one in listing}, day=day, next_session=next_session)
    trading = {(s, q.changed_on): (bars or {}).get(s, TRADED_ON) for q in asked for s in q.symbols}
    return decide(asked, of, trading, next_session=next_session)


def kinds(found: list[Change]) -> dict[str, tuple[str, str | None]]:
    return {change.symbol: (str(change.kind), change.new_symbol) for change in found}


OLD = {"composite_figi": "F0", "share_class_figi": "S0", "cik": "1"}


@pytest.mark.parametrize(
    ("now", "bars", "kind"),
    [
        pytest.param(OLD, FELL, None, id="the same codes, whatever the price does"),
        pytest.param({}, FELL, None, id="a listing that says nothing"),
        pytest.param(
            {**OLD, "composite_figi": "F1"}, FELL, "corrected",
            id="FIGI corrected, share class and CIK agree",
        ),
        pytest.param({"composite_figi": "F1", "cik": "1"}, TRADED_ON, "corrected", id="FIGI corrected, CIK agrees"),
        pytest.param(
            {"composite_figi": "F1", "share_class_figi": "S1", "cik": "1"}, TRADED_ON, "corrected", id="both FIGIs"
        ),
        pytest.param({"composite_figi": "F1", "share_class_figi": "S0"}, FELL, "corrected", id="share class agrees"),
        pytest.param({**OLD, "cik": "2"}, FELL, "corrected", id="CIK corrected"),
        pytest.param(
            {"composite_figi": "F1", "share_class_figi": "S1", "cik": "2"}, WENT_ON, "reissued",
            id="all differ",
        ),
        pytest.param({"composite_figi": "F1", "cik": "2"}, TRADED_ON, "reissued", id="two differ, none agrees"),
        pytest.param({"composite_figi": "F1"}, TRADED_ON, "contested", id="one differs, no bars of the day yet"),
        pytest.param({"composite_figi": "F1"}, WENT_ON, "corrected", id="one differs, and the bars go on"),
        pytest.param({"composite_figi": "F1"}, FELL, "reissued", id="one differs, and the price breaks"),
        pytest.param({"composite_figi": "F1"}, SPLIT, "corrected", id="one differs, and the price falls by a split"),
        pytest.param({"composite_figi": "F1"}, NOTHING, "reissued", id="one differs, and nobody traded before"),
        pytest.param({"cik": "2"}, TRADED_ON, "contested", id="the CIK alone"),
        pytest.param({"share_class_figi": "S1"}, TRADED_ON, "contested", id="the share class alone"),
        pytest.param({"share_class_figi": "S1"}, NOTHING, "corrected", id="the share class alone, no bars at all"),
    ],
)  # fmt: skip
def test_what_a_listing_says_of_a_symbol_is_weighed(now: dict[str, str], bars: Trading, kind: str | None) -> None:
    found = changes([known("A", **OLD)], [Listed(symbol="A", **now)], {"A": bars})
    assert kinds(found) == ({} if kind is None else {"A": (kind, None)})


def test_a_change_is_dated_to_the_first_session_after_the_symbol_was_last_seen_as_it_was() -> None:
    (change,) = changes(
        [known("A", **OLD, last_seen=dt.date(2025, 11, 6))], [Listed(symbol="A", cik="2", composite_figi="F1")]
    )
    assert change.changed_on == dt.date(2025, 11, 7)
    (change,) = changes([known("A", **OLD, last_seen=DAY)], [Listed(symbol="A", cik="2", composite_figi="F1")])
    assert change.changed_on == DAY


@pytest.mark.parametrize("code", [{"composite_figi": "F0"}, {"share_class_figi": "S0"}])
def test_a_company_is_found_under_its_new_symbol_by_either_figi(code: dict[str, str]) -> None:
    assert kinds(changes([known("FB", **OLD)], [Listed(symbol="META", **code)])) == {"FB": ("renamed", "META")}


def test_a_class_that_moves_leaves_its_symbol_to_another_class_of_the_same_company() -> None:
    """As GOOG did on 2014-04-03: the CIK agrees, and the symbol is another security's all the same."""
    universe = [known("GOOG", composite_figi="FA", share_class_figi="SA", cik="1")]
    listing = [
        Listed(symbol="GOOG", composite_figi="FC", share_class_figi="SC", cik="1"),
        Listed(symbol="GOOGL", composite_figi="FA", share_class_figi="SA", cik="1"),
    ]
    found = changes(universe, listing)
    assert [(str(change.kind), change.symbol, change.new_symbol) for change in found] == [
        ("reissued", "GOOG", None), ("renamed", "GOOG", "GOOGL"),
    ]  # fmt: skip


def test_a_symbol_into_which_a_known_company_is_renamed_is_that_companys() -> None:
    universe = [known("META", composite_figi="F0"), known("FB", composite_figi="F1")]
    found = changes(universe, [Listed(symbol="META", composite_figi="F1")])
    assert kinds(found) == {"META": ("reissued", None), "FB": ("renamed", "META")}


@pytest.mark.parametrize(
    ("now", "bars"),
    [
        pytest.param({"composite_figi": "F0"}, {}, id="without a code of its own until now"),
        pytest.param({"composite_figi": "F0", "cik": "7"}, {}, id="its CIK agrees"),
    ],
)
def test_a_symbol_with_a_history_of_its_own_does_not_become_another_companys_by_a_figi(
    now: dict[str, str], bars: dict[str, Trading]
) -> None:
    universe = [known("OLD", **OLD), known("OWN", cik="7")]
    found = changes(universe, [Listed(symbol="OWN", **now)], bars)
    assert kinds(found)["OLD"] == ("contested", "OWN")
    assert kinds(found).get("OWN", ("corrected", None))[0] != "reissued"


def test_two_symbols_that_both_trade_are_not_one_company() -> None:
    bars = {
        "OLD": Trading(quiet=False, close_before=10.0, last=TOMORROW),
        "NEW": Trading(quiet=True, first_from=DAY, open_from=10.0, last=TOMORROW),
    }
    found = changes([known("OLD", **OLD)], [Listed(symbol="NEW", **OLD)], bars, day=TOMORROW)
    assert kinds(found) == {"OLD": ("contested", "NEW")}


def test_a_rename_begins_after_the_last_session_under_the_old_symbol() -> None:
    bars = {"OLD": Trading(quiet=False, close_before=10.0, last=DAY), "NEW": NOTHING}
    (change,) = changes([known("OLD", **OLD)], [Listed(symbol="NEW", **OLD)], bars)
    assert (change.kind, change.changed_on) == (Kind.RENAMED, TOMORROW)


def test_a_figi_that_the_vendor_has_twice_renames_nobody() -> None:
    universe = [known("BATRA", **OLD), known("BATR.A", **OLD)]
    assert changes(universe, [Listed(symbol="BATR.A", **OLD)]) == []
    twice = [Listed(symbol="X", **OLD), Listed(symbol="Y", **OLD)]
    assert changes([known("BATRA", **OLD)], twice) == []


@pytest.mark.parametrize(
    ("old", "new", "bars", "kind"),
    [
        pytest.param({"type": "CS"}, {"type": "CS"}, {"NEW": NOTHING}, "renamed", id="common stock"),
        pytest.param({"type": "CS"}, {"type": "WARRANT"}, {"NEW": NOTHING}, None, id="another type"),
        pytest.param({"type": "ETF"}, {"type": "ETF"}, {"NEW": NOTHING}, None, id="two funds of one trust"),
        pytest.param(
            {"type": "ETF", "name": "Gold"}, {"type": "ETF", "name": "Gold"}, {"NEW": NOTHING}, "renamed", id="by name"
        ),
        pytest.param(
            {"type": "CS", "composite_figi": "F0"}, {"type": "CS", "composite_figi": "F1"}, {}, None, id="FIGIs differ"
        ),
        pytest.param(
            {"type": "CS"}, {"type": "CS"},
            {"NEW": Trading(quiet=True, first_from=DAY, open_from=90.0, last=DAY)}, "contested", id="another price",
        ),
    ],
)  # fmt: skip
def test_without_a_figi_the_one_that_went_and_the_one_that_came_may_be_one_company(
    old: dict[str, str], new: dict[str, str], bars: dict[str, Trading], kind: str | None
) -> None:
    found = changes([known("OLD", cik="1", **old)], [Listed(symbol="NEW", cik="1", **new)], bars)
    assert kinds(found) == ({} if kind is None else {"OLD": (kind, "NEW")})


def test_of_two_that_went_or_came_with_one_cik_none_is_renamed() -> None:
    one = known("OLD", cik="1", type="CS")
    came = [Listed(symbol=symbol, cik="1", type="CS") for symbol in ("X", "Y")]
    assert changes([one], came) == []
    assert changes([one, known("OLDER", cik="1", type="CS")], came[:1]) == []


def test_codes_that_one_side_does_not_say_neither_agree_nor_differ() -> None:
    assert agreement(Listed(symbol="A", cik="1"), Listed(symbol="A", composite_figi="F")) == (0, 0)
    assert agreement(Listed(symbol="A", **OLD), Listed(symbol="A", **{**OLD, "cik": "2"})) == (2, 1)
    assert agreement(Listed(symbol="A", cik="0000320193"), Listed(symbol="A", cik="320193")) == (1, 0)


@pytest.mark.parametrize(
    ("before", "after", "factor", "goes_on"),
    [(10.0, 19.0, 1.0, True), (10.0, 21.0, 1.0, False), (10.0, 4.9, 1.0, False), (70.0, 10.0, 1 / 7, True),
     (None, 10.0, 1.0, True), (10.0, None, 1.0, True), (0.0, 10.0, 1.0, True)],
)  # fmt: skip
def test_a_price_continues_within_a_factor_of_two(
    before: float | None, after: float | None, factor: float, goes_on: bool
) -> None:
    assert continues(before, after, factor) is goes_on
