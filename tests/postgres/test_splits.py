"""Holds splits to: the list is what the vendor has, one row a ratio, and only what the prices allow counts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.massive.rows import DailyRow, TickerRow
from consumer.postgres import bars, splits, tickers
from market.split_check import OvernightPrices, Verdict
from market.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

MONDAY, TUESDAY, WEDNESDAY = (dt.date(2025, 11, day) for day in (10, 11, 12))
NOW = dt.datetime(2025, 11, 12, 2, tzinfo=dt.UTC)


def split(symbol: str, day: dt.date, to: float = 7.0, *, kind: str = "forward_split") -> Split:
    return Split(symbol=symbol, execution_day=day, split_from=1.0, split_to=to, kind=kind)


async def splits_of(connection: Connection) -> list[tuple[object, ...]]:
    rows = await connection.fetch(
        "SELECT symbol, execution_day, split_to, kind, load_id FROM stock_split ORDER BY 1, 2"
    )
    return [tuple(r) for r in rows]


async def test_splits_are_inserted_corrected_and_left_alone(connection: Connection) -> None:
    first = [split("A", MONDAY), split("B", MONDAY, 2.0)]
    assert await splits.upsert_splits(connection, first, load_id=1, now=NOW) == 2
    assert await splits.upsert_splits(connection, first, load_id=2, now=NOW) == 0
    corrected = [split("A", MONDAY, 10.0), split("B", MONDAY, 2.0, kind="stock_dividend")]
    assert await splits.upsert_splits(connection, corrected, load_id=3, now=NOW) == 2
    assert await splits.withdraw_splits(connection, corrected, since=MONDAY, until=MONDAY) == [("A", MONDAY)]
    assert await splits_of(connection) == [
        ("A", MONDAY, 10.0, "forward_split", 3), ("B", MONDAY, 2.0, "stock_dividend", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "withdrawn"),
    [
        ([split("A", TUESDAY)], [("A", MONDAY), ("B", MONDAY)]),
        ([split("A", MONDAY), split("B", MONDAY)], []),
        ([], [("A", MONDAY), ("B", MONDAY)]),
    ],
)
async def test_splits_that_the_list_lacks_go_within_its_days_only(
    connection: Connection, listed: Sequence[Split], withdrawn: list[tuple[str, dt.date]]
) -> None:
    old = split("A", MONDAY - dt.timedelta(days=90))
    await splits.upsert_splits(connection, [old, split("A", MONDAY), split("B", MONDAY)], load_id=1, now=NOW)
    await splits.upsert_splits(connection, listed, load_id=2, now=NOW)
    assert await splits.withdraw_splits(connection, listed, since=MONDAY, until=WEDNESDAY) == withdrawn
    kept = await splits.read_splits(connection, up_to=WEDNESDAY)
    assert [s for own in kept.values() for s in own] == sorted(
        [old, *listed], key=lambda s: (s.symbol, s.execution_day)
    )
    assert await splits.count_splits(connection, since=MONDAY, until=WEDNESDAY) == len(listed)


async def test_splits_not_executed_yet_are_not_read(connection: Connection) -> None:
    await splits.upsert_splits(connection, [split("A", MONDAY), split("A", WEDNESDAY)], load_id=1, now=NOW)
    assert await splits.read_splits(connection, up_to=TUESDAY) == {"A": [split("A", MONDAY)]}
    assert await splits.read_splits(connection, up_to=WEDNESDAY) == {"A": [split("A", MONDAY), split("A", WEDNESDAY)]}


def bar(symbol: str, price: float) -> DailyRow:
    return DailyRow(T=symbol, o=price, h=price, l=price, c=price, v=1.0, t=0)


async def test_listed_splits_come_with_the_raw_prices_around_their_morning(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [bar("A", 70.0), bar("B", 5.0)], load_id=1)
    await bars.replace_bars(connection, WEDNESDAY, [bar("A", 10.5)], load_id=1)
    await splits.upsert_splits(connection, [split("A", TUESDAY), split("B", TUESDAY)], load_id=1, now=NOW)
    found = {group.splits[0].symbol: group.prices for group in await splits.read_listed(connection, up_to=WEDNESDAY)}
    assert found == {"A": OvernightPrices(close_before=70.0, open_after=10.5, close_after=10.5), "B": None}


async def test_a_renamed_company_is_held_against_the_prices_under_its_old_symbol(connection: Connection) -> None:
    async def listing(symbol: str, day: dt.date) -> None:
        rows = [TickerRow(ticker=symbol, composite_figi="F1"), TickerRow(ticker="Z", composite_figi="F2")]
        await tickers.apply_listing(connection, rows, day=day, now=NOW)

    await listing("OLD", MONDAY)
    await bars.replace_bars(connection, MONDAY, [bar("OLD", 70.0)], load_id=1)
    await listing("NEW", TUESDAY)
    await bars.replace_bars(connection, TUESDAY, [bar("NEW", 10.0)], load_id=1)
    await splits.upsert_splits(connection, [split("NEW", TUESDAY)], load_id=1, now=NOW)
    (group,) = await splits.read_listed(connection, up_to=TUESDAY)
    assert group.prices == OvernightPrices(close_before=70.0, open_after=10.0, close_after=10.0)


async def test_a_contradicted_split_is_kept_and_not_applied(connection: Connection) -> None:
    listed = [split("A", MONDAY), split("A", MONDAY, 2.0)]
    await splits.upsert_splits(connection, listed, load_id=1, now=NOW)
    judged = [(listed[0], Verdict.CONTRADICTED, 0.5), (listed[1], Verdict.CONFIRMED, 0.5)]
    assert await splits.store_verdicts(connection, judged) == 2
    assert await splits.store_verdicts(connection, judged) == 0
    assert await splits.read_splits(connection, up_to=MONDAY) == {"A": [listed[1]]}
    assert await splits.count_splits(connection, since=MONDAY, until=MONDAY) == 2


async def test_the_adjusted_view_applies_what_counts_to_prices_and_volumes_alike(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [bar("A", 70.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [bar("A", 10.0)], load_id=1)
    await connection.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
        "VALUES ('daily_bars', $1, 1, $2, 1)",
        TUESDAY, NOW,
    )  # fmt: skip
    announced = split("A", WEDNESDAY, 5.0)
    wrong = split("A", TUESDAY, 2.0)
    await splits.upsert_splits(connection, [split("A", TUESDAY), wrong, announced], load_id=1, now=NOW)
    await splits.store_verdicts(connection, [(wrong, Verdict.CONTRADICTED, None)])
    rows = await connection.fetch("SELECT close, volume FROM market_data_daily_adjusted ORDER BY trading_date")
    assert [tuple(row) for row in rows] == [(pytest.approx(10.0), pytest.approx(7.0)), (10.0, 1.0)]


async def test_a_jump_without_a_split_is_found(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [bar("A", 70.0), bar("B", 70.0), bar("C", 10.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [bar("A", 10.0), bar("B", 10.0), bar("C", 11.0)], load_id=1)
    await splits.upsert_splits(connection, [split("B", TUESDAY)], load_id=1, now=NOW)
    jumps = await splits.read_jumps(connection, TUESDAY, MONDAY, factor=1.9)
    assert [symbol for symbol, _ in jumps] == ["A"]
