"""Holds identity to: a renamed company keeps its history, a reissued symbol does not inherit one, a slip is undone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.massive.rows import DailyRow, TickerDetails, TickerRow
from consumer.postgres import bars, details, tickers
from consumer.postgres.slots import SlotDay, missing_slots, read_slots, write_slots

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
        day=day,
        now=NOW,
        next_session=next_session,
        **delisted,  # type: ignore[arg-type]
    )


def listed(symbol: str, figi: str) -> TickerRow:
    """A company with its codes: two that agree, or differ, together."""
    return TickerRow(ticker=symbol, composite_figi=figi, cik=f"{figi[1:]:0>10}")


async def trade(connection: Connection, day: dt.date, **prices: float) -> None:
    rows = [DailyRow(T=name, o=price, h=price, l=price, c=price, v=1.0, t=0) for name, price in prices.items()]
    await bars.replace_bars(connection, day, rows, load_id=1)


async def history(connection: Connection) -> dict[str, list[float]]:
    async with connection.transaction(isolation="repeatable_read"):
        found = await bars.read_history(connection, up_to=DAYS[-1])
    ends = zip(found.offsets, found.offsets[1:], strict=False)
    return {symbol: found.close[a:b].tolist() for symbol, (a, b) in zip(found.symbols, ends, strict=True)}


async def universe(connection: Connection) -> dict[str, tuple[str, dt.date | None]]:
    rows = await connection.fetch("SELECT symbol, state, issuer_since FROM ticker_universe WHERE symbol <> 'ZZ'")
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
