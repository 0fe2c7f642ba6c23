"""Who was listed when, and as what, is kept also of days on which nobody asked, by each part that brings it.

Every day of a quarter of nights is held against the truth in test_simulated_quarter.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe
from consumer.vendor.rows import FloatRow, TickerDetails, TickerListing, TickerRow
from tests.tasks.conftest import CALENDAR
from tests.tasks.simulated_nights import NIGHTS, OPTIONS, changing_market, listed_on, load_past, night

if TYPE_CHECKING:
    import pytest

    from tests.tasks.conftest import Desk

# A market of nine weeks, of which every third night is worked.
SOME = [day for day in NIGHTS if day < NIGHTS[49]][::3]


async def test_who_was_listed_is_told_as_it_was_also_of_days_on_which_nobody_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_market(desk, monkeypatch) as market:
        await load_past(desk, CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=SOME[0])[:-1])
        for day, after in zip(SOME, (None, *SOME), strict=False):
            await night(desk, day, missed=[] if after is None else CALENDAR.trading_days(after, day)[1:-1])
            assert (await listed_on(desk, day)).keys() == market.truth(day).keys(), day
        for day in CALENDAR.trading_days(SOME[0], SOME[-1]):
            found = await listed_on(desk, day)
            assert found.keys() == market.truth(day).keys(), day
            assert {row["listing_of"] for row in found.values()} == {max(one for one in SOME if one <= day)}


async def test_each_part_keeps_what_it_writes_itself(desk: Desk) -> None:
    async def kept() -> tuple[Any, ...]:
        row = await desk.pool.fetchrow(
            "SELECT ticker_type, shares_outstanding, float_shares FROM ticker_profile_history "
            "WHERE valid_to = 'infinity'"
        )
        return tuple(row or ())

    desk.vendor.answers["list_tickers"] = TickerListing(rows=[TickerRow(ticker="A", type="CS")], pages=1)
    await desk.run(load_universe)
    assert await kept() == ("CS", None, None)
    desk.vendor.answers["ticker_details"] = TickerDetails(ticker="A", weighted_shares_outstanding=1e6)
    await desk.run(load_details, {"symbols": ["A"]})
    assert await kept() == ("CS", 1e6, None)
    desk.vendor.answers["list_floats"] = [FloatRow(ticker="A", free_float=5e5, free_float_percent=50.0)]
    await desk.run(load_floats)
    assert await kept() == ("CS", 1e6, 5e5)
