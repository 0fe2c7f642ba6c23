"""Holds identity to: a renamed company keeps its history, a reissued symbol does not inherit one, a slip is undone.

And a code that the vendor corrects, or one that stands alone, takes nothing away.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import bars, details, identity, tickers
from consumer.postgres.slot_history import read_slots
from consumer.postgres.slots import SlotDay, missing_slots, write_slots
from consumer.vendor.rows import DailyRow, TickerDetails, TickerRow

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAYS = tuple(dt.date(2025, 11, day) for day in (10, 11, 12, 13, 14))
NOW = dt.datetime(2025, 11, 15, 2, tzinfo=dt.UTC)
OTHER = TickerRow(ticker="ZZ", composite_figi="FZZ")


def next_session(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=1)


async def listing(connection: Connection, day: dt.date, *rows: TickerRow, **delisted: object) -> tickers.UniverseChange:
    return await tickers.apply_listing(
        connection,
        [*rows, OTHER],
        tickers.Evening(day=day, now=NOW, next_session=next_session),
        **delisted,  # type: ignore[arg-type]
    )


def listed(symbol: str, figi: str) -> TickerRow:
    """A company with its codes: two that agree, or differ, together."""
    return TickerRow(ticker=symbol, composite_figi=figi, cik=f"{figi[1:]:0>10}")


async def trade(connection: Connection, day: dt.date, **prices: float) -> None:
    rows = [DailyRow(T=name, o=price, h=price, l=price, c=price, v=1.0, t=0) for name, price in prices.items()]
    await bars.replace_bars(connection, day, rows, load_id=1)


async def check(connection: Connection) -> list[str]:
    """What the night decides once its bars are there."""
    return [str(change) for change in await identity.settle_contested(connection, now=NOW, next_session=next_session)]


async def history(connection: Connection) -> dict[str, list[float]]:
    await check(connection)
    async with connection.transaction(isolation="repeatable_read"):
        found = await bars.read_history(connection, since=DAYS[0], up_to=DAYS[-1])
    ends = zip(found.offsets, found.offsets[1:], strict=False)
    return {symbol: found.close[a:b].tolist() for symbol, (a, b) in zip(found.symbols, ends, strict=True)}


async def universe(connection: Connection) -> dict[str, tuple[str, dt.date | None]]:
    rows = await connection.fetch("SELECT symbol, state, issuer_since FROM listed_ticker WHERE symbol <> 'ZZ'")
    return {row["symbol"]: (row["state"], row["issuer_since"]) for row in rows}


async def test_a_renamed_company_keeps_its_history_under_the_new_symbol(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("FB", "F1"))
    await trade(connection, DAYS[0], FB=1.0)
    await trade(connection, DAYS[1], META=2.0)
    change = await listing(connection, DAYS[1], listed("META", "F1"))
    assert [str(one) for one in change.changes] == ["FB is META since 2025-11-11"]
    assert await history(connection) == {"META": [1.0, 2.0]}
    assert await universe(connection) == {"FB": ("renamed", None), "META": ("listed", DAYS[1])}


async def test_a_reissued_symbol_does_not_inherit_the_history_of_another_company(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("META", "F0"))
    await trade(connection, DAYS[0], META=9.0)
    change = await listing(connection, DAYS[1], listed("META", "F1"))
    await trade(connection, DAYS[1], META=2.0)
    assert [str(one) for one in change.changes] == ["META belongs to another company since 2025-11-11"]
    assert await history(connection) == {"META": [2.0]}


async def test_a_symbol_that_one_company_leaves_and_another_takes_the_same_night(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("META", "F0"), listed("FB", "F1"))
    await trade(connection, DAYS[0], META=9.0, FB=1.0)
    await listing(connection, DAYS[1], listed("META", "F1"), listed("METV", "F0"))
    await trade(connection, DAYS[1], META=2.0, METV=9.5)
    assert await history(connection) == {"META": [1.0, 2.0], "METV": [9.0, 9.5]}


async def test_two_renames_in_a_row_lead_to_the_last_symbol(connection: Connection) -> None:
    for day, symbol in zip(DAYS, ("A", "B", "C"), strict=False):
        await listing(connection, day, listed(symbol, "F1"))
        await trade(connection, day, **{symbol: 1.0 + day.day})
    assert await history(connection) == {"C": [11.0, 12.0, 13.0]}


async def test_a_company_that_takes_its_old_symbol_back_has_all_its_history(connection: Connection) -> None:
    for day, symbol in zip(DAYS, ("A", "B", "A"), strict=False):
        await listing(connection, day, listed(symbol, "F1"))
        await trade(connection, day, **{symbol: 1.0 + day.day})
    assert await history(connection) == {"A": [11.0, 12.0, 13.0]}


async def test_a_slip_of_the_listing_does_not_cut_a_history(connection: Connection) -> None:
    for day, figi in zip(DAYS, ("F1", "F9", "F1"), strict=False):
        await listing(connection, day, listed("A", figi))
        await trade(connection, day, A=1.0 + day.day)
    assert await history(connection) == {"A": [11.0, 12.0, 13.0]}
    assert await universe(connection) == {"A": ("listed", None)}


async def test_after_days_without_a_listing_the_list_date_says_since_when(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("A", "F1"))
    await listing(connection, DAYS[4], listed("A", "F2"))
    assert await universe(connection) == {"A": ("listed", DAYS[1])}
    await details.store_details(connection, [TickerDetails(ticker="A", list_date=DAYS[3])], [], now=NOW)
    assert await universe(connection) == {"A": ("listed", DAYS[3])}


@pytest.mark.parametrize(
    ("gone", "state"),
    [((), "unlisted"), ((TickerRow(ticker="A", composite_figi="F1", delisted_utc="2025-11-11T00:00:00Z"),), "delisted"),
     ((TickerRow(ticker="A", composite_figi="F7", delisted_utc="2001-11-11T00:00:00Z"),), "unlisted")],
)  # fmt: skip
async def test_a_symbol_that_vanished_says_why(connection: Connection, gone: tuple[TickerRow, ...], state: str) -> None:
    await listing(connection, DAYS[0], listed("A", "F1"))
    assert await tickers.vanished(connection, ["ZZ"]) == ["A"]
    await listing(connection, DAYS[1], delisted=gone)
    assert (await universe(connection))["A"][0] == state
    await listing(connection, DAYS[2], listed("A", "F1"))
    assert (await universe(connection))["A"][0] == "listed"


async def test_test_issues_and_otc_shares_have_states_of_their_own(connection: Connection) -> None:
    await tickers.note_others(connection, ["ZVZZT"], state="test", day=DAYS[0], now=NOW)
    await tickers.note_others(connection, ["OTCX"], state="otc", day=DAYS[0], now=NOW)
    assert {symbol: state for symbol, (state, _) in (await universe(connection)).items()} == {
        "ZVZZT": "test", "OTCX": "otc",
    }  # fmt: skip
    assert await tickers.count_active(connection) == 0


async def test_slots_of_another_company_are_neither_read_nor_asked_for(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("A", "F1"))
    rows = [SlotDay(day=day, symbol="A", outcome="no_trades") for day in DAYS[:2]]
    await write_slots(connection, rows, fetched_at=NOW, load_id=1)
    await listing(connection, DAYS[1], listed("A", "F2"))
    async with connection.transaction(isolation="repeatable_read"):
        found, _ = await read_slots(connection, DAYS[:3], partition=0, partitions=1)
    assert [(day, symbol) for day, symbol, _ in found] == [(DAYS[1], "A")]
    wanted = await missing_slots(connection, dict.fromkeys(DAYS[:3], NOW), retry_unproven_before=NOW, symbols=["A"])
    assert wanted == {"A": [DAYS[2]]}


# One code that differs


COMPANY = {"composite_figi": "F1", "share_class_figi": "S1", "cik": "0000000001"}


async def lived(connection: Connection, **codes: str) -> tickers.UniverseChange:
    """A company of two sessions with details, and the listing of the third day, which gives it *codes*."""
    for day in DAYS[:2]:
        await listing(connection, day, TickerRow(ticker="A", name="A Inc.", type="CS", **COMPANY))
        await trade(connection, day, A=10.0)
    await details.store_details(
        connection, [TickerDetails(ticker="A", type="CS", weighted_shares_outstanding=1e9)], [], now=NOW
    )
    return await listing(connection, DAYS[2], TickerRow(ticker="A", **codes))


async def shares(connection: Connection) -> float | None:
    value: float | None = await connection.fetchval("SELECT shares_outstanding FROM ticker_profile WHERE symbol = 'A'")
    return value


async def codes_of(connection: Connection) -> tuple[str | None, ...]:
    row = await connection.fetchrow(
        "SELECT listed_figi, listed_share_class_figi, listed_cik FROM listed_ticker WHERE symbol = 'A'"
    )
    return tuple(row or ())


@pytest.mark.parametrize(
    "corrected",
    [{"composite_figi": "F9"}, {"composite_figi": "F9", "share_class_figi": "S9"}, {"cik": "0000000009"},
     {"share_class_figi": "S9"}],
)  # fmt: skip
async def test_a_corrected_code_keeps_history_and_metadata_and_is_told_once(
    connection: Connection, corrected: dict[str, str]
) -> None:
    change = await lived(connection, **(COMPANY | corrected))
    (told,) = map(str, change.changes)
    assert "A is the same company under another code, history kept" in told
    assert all(f"{name} {COMPANY[name]} -> {code}" in told for name, code in corrected.items())
    assert (await history(connection), await shares(connection)) == ({"A": [10.0, 10.0]}, 1e9)
    row = await connection.fetchrow("SELECT kind, old_codes, new_codes FROM ticker_change")
    assert tuple(row or ()) == ("corrected", COMPANY, COMPANY | corrected)
    assert await codes_of(connection) == tuple((COMPANY | corrected).values())
    again = await listing(connection, DAYS[3], TickerRow(ticker="A", **(COMPANY | corrected)))
    assert again.changes == ()


async def test_one_code_alone_is_contested_and_what_is_known_stands(connection: Connection) -> None:
    change = await lived(connection, composite_figi="F9")
    assert [str(one) for one in change.changes] == [
        "A may be another company since 2025-11-12, history kept: composite_figi F1 -> F9 is all that says so, "
        "and it traded on"
    ]
    assert (await history(connection), await shares(connection)) == ({"A": [10.0, 10.0]}, 1e9)
    assert await codes_of(connection) == tuple(COMPANY.values())
    assert (await universe(connection))["A"] == ("listed", None)
    again = await listing(connection, DAYS[2], TickerRow(ticker="A", composite_figi="F9"))
    assert again.changes == (), "told once"


@pytest.mark.parametrize(("price", "since"), [(10.5, None), (2.0, DAYS[2])])
@pytest.mark.parametrize("by", ["the next listing", "the bars of the same night"])
async def test_what_is_contested_is_decided_when_the_bars_of_the_day_are_there(
    connection: Connection, by: str, price: float, since: dt.date | None
) -> None:
    await lived(connection, composite_figi="F9")
    await trade(connection, DAYS[2], A=price)
    if by == "the next listing":
        await listing(connection, DAYS[3], TickerRow(ticker="A", composite_figi="F9"))
    else:
        await identity.settle_contested(connection, now=NOW)
        assert await identity.settle_contested(connection, now=NOW) == []
    assert (await universe(connection))["A"] == ("listed", since)
    assert await history(connection) == {"A": [10.0, 10.0, price] if since is None else [price]}
    assert await shares(connection) == (1e9 if since is None else None)
    assert (await codes_of(connection))[0] == "F9"


async def test_what_was_contested_and_is_as_before_again_leaves_nothing(connection: Connection) -> None:
    await lived(connection, composite_figi="F9")
    await listing(connection, DAYS[3], TickerRow(ticker="A", **COMPANY))
    await trade(connection, DAYS[3], A=1.0)
    assert await identity.settle_contested(connection, now=NOW) == []
    assert (await universe(connection))["A"] == ("listed", None)


@pytest.mark.parametrize(("price", "since"), [(9.5, None), (90.0, DAYS[1])])
async def test_after_a_pause_the_price_says_whether_one_code_makes_another_company(
    connection: Connection, price: float, since: dt.date | None
) -> None:
    await listing(connection, DAYS[0], TickerRow(ticker="A", composite_figi="F0"))
    await trade(connection, DAYS[0], A=9.0, ZZ=1.0)
    later = DAYS[0] + dt.timedelta(days=30)
    change = await listing(connection, later, TickerRow(ticker="A", composite_figi="F1"))
    assert ["may be another company" in str(one) for one in change.changes] == [True]
    assert (await universe(connection))["A"][1] is None
    await trade(connection, later, A=price, ZZ=1.0)
    await check(connection)
    assert (await universe(connection))["A"][1] == since


# Renames


async def test_a_share_class_figi_is_enough_to_find_a_renamed_company(connection: Connection) -> None:
    await listing(connection, DAYS[0], TickerRow(ticker="FB", share_class_figi="S1"))
    await trade(connection, DAYS[0], FB=1.0)
    await listing(connection, DAYS[1], TickerRow(ticker="META", share_class_figi="S1", composite_figi="F7"))
    await trade(connection, DAYS[1], META=2.0)
    assert await history(connection) == {"META": [1.0, 2.0]}


async def test_without_a_figi_the_cik_and_type_find_a_renamed_company(connection: Connection) -> None:
    await listing(connection, DAYS[0], TickerRow(ticker="FB", cik="1", type="CS"))
    await trade(connection, DAYS[0], FB=1.0)
    change = await listing(connection, DAYS[1], TickerRow(ticker="META", cik="1", type="CS"))
    assert change.changes == (), "the listing alone decides nothing"
    await trade(connection, DAYS[1], META=2.0)
    assert await check(connection) == ["FB is META since 2025-11-11"]
    assert await history(connection) == {"META": [1.0, 2.0]}


async def test_a_fund_does_not_inherit_that_of_another_fund_of_its_trust(connection: Connection) -> None:
    await listing(connection, DAYS[0], TickerRow(ticker="OLD", name="Gold", cik="1", type="ETF"))
    await trade(connection, DAYS[0], OLD=1.0)
    await listing(connection, DAYS[1], TickerRow(ticker="NEW", name="Silver", cik="1", type="ETF"))
    await trade(connection, DAYS[1], NEW=1.0)
    assert await history(connection) == {"NEW": [1.0], "OLD": [1.0]}


async def test_a_rename_begins_after_the_last_session_under_the_old_symbol(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("FB", "F1"))
    await trade(connection, DAYS[0], FB=1.0)
    await trade(connection, DAYS[1], FB=1.5)
    await listing(connection, DAYS[1], listed("META", "F1"))
    assert await check(connection) == []
    assert await universe(connection) == {"FB": ("listed", None), "META": ("listed", None)}
    wanted = await missing_slots(connection, dict.fromkeys(DAYS[1:3], NOW), retry_unproven_before=NOW)
    assert {symbol: days for symbol, days in wanted.items() if symbol != "ZZ"} == {
        "FB": [DAYS[1], DAYS[2]], "META": [DAYS[1], DAYS[2]],
    }, "today's slots are asked for as they were traded"  # fmt: skip
    again = await listing(connection, DAYS[2], listed("META", "F1"))
    await trade(connection, DAYS[2], META=2.0)
    assert await check(connection) == ["FB is META since 2025-11-12"]
    assert (again.kept, await universe(connection)) == ((), {"FB": ("renamed", None), "META": ("listed", DAYS[2])})
    assert await history(connection) == {"META": [1.0, 1.5, 2.0]}


async def test_a_symbol_with_a_history_of_its_own_keeps_it_whatever_figi_it_is_listed_with(
    connection: Connection,
) -> None:
    await listing(connection, DAYS[0], listed("OLD", "F1"), TickerRow(ticker="OWN", type="CS"))
    await trade(connection, DAYS[0], OLD=9.0, OWN=1.0)
    await listing(connection, DAYS[1], TickerRow(ticker="OWN", composite_figi="F1"))
    await trade(connection, DAYS[1], OWN=1.1)
    assert ["OLD may be OWN since" in one for one in await check(connection)] == [True]
    assert await history(connection) == {"OLD": [9.0], "OWN": [1.0, 1.1]}


async def test_who_was_renamed_into_a_symbol_does_not_lead_to_the_next_company_that_has_it(
    connection: Connection,
) -> None:
    await listing(connection, DAYS[0], listed("P", "F1"))
    await trade(connection, DAYS[0], P=1.0)
    await listing(connection, DAYS[1], listed("B", "F1"))
    await trade(connection, DAYS[1], B=2.0)
    await listing(connection, DAYS[2], listed("B", "F2"))
    await trade(connection, DAYS[2], B=30.0)
    assert await history(connection) == {"P": [1.0], "B": [30.0]}
    await listing(connection, DAYS[3], listed("B", "F1"))
    await trade(connection, DAYS[3], B=3.0)
    assert await history(connection) == {"B": [1.0, 2.0, 30.0, 3.0]}, "the other company was a slip"


async def test_a_company_takes_those_that_were_renamed_into_it_along(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("P", "F1"), listed("Q", "F2"))
    await trade(connection, DAYS[0], P=1.0, Q=50.0)
    await listing(connection, DAYS[1], listed("B", "F1"), listed("Q", "F2"))
    await trade(connection, DAYS[1], B=2.0, Q=51.0)
    await listing(connection, DAYS[2], listed("B", "F2"), listed("C", "F1"))
    await trade(connection, DAYS[2], B=52.0, C=3.0)
    assert await history(connection) == {"C": [1.0, 2.0, 3.0], "B": [50.0, 51.0, 52.0]}


async def test_a_list_date_after_the_listing_that_showed_the_new_company_moves_nothing(connection: Connection) -> None:
    await listing(connection, DAYS[0], listed("A", "F1"))
    await listing(connection, DAYS[2], listed("A", "F2"))
    await listing(connection, DAYS[4], listed("A", "F2"))
    await details.store_details(connection, [TickerDetails(ticker="A", list_date=DAYS[3])], [], now=NOW)
    assert await universe(connection) == {"A": ("listed", DAYS[1])}
