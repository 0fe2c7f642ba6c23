"""Holds splits to: the list is what the vendor has, one row a ratio, and only what the prices allow counts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from consumer.postgres import bars, details, identity, split_prices, splits, tickers
from consumer.tasks.splits import judge, owners
from consumer.vendor.rows import DailyRow, TickerDetails, TickerRow
from market.split_check import OvernightPrices, Proof
from market.splits import Split, price_factors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

MONDAY, TUESDAY, WEDNESDAY = (dt.date(2025, 11, day) for day in (10, 11, 12))
LONG_AGO = dt.date(2000, 1, 1)
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
    kept = await splits.read_splits(connection, after=LONG_AGO, up_to=WEDNESDAY)
    assert [s for own in kept.values() for s in own] == sorted(
        [old, *listed], key=lambda s: (s.symbol, s.execution_day)
    )
    assert await splits.count_splits(connection, since=MONDAY, until=WEDNESDAY) == len(listed)


async def test_only_the_splits_executed_between_two_days_are_read(connection: Connection) -> None:
    both = [split("A", MONDAY), split("A", WEDNESDAY)]
    await splits.upsert_splits(connection, both, load_id=1, now=NOW)
    assert await splits.read_splits(connection, after=LONG_AGO, up_to=TUESDAY) == {"A": both[:1]}
    assert await splits.read_splits(connection, after=LONG_AGO, up_to=WEDNESDAY) == {"A": both}
    assert await splits.read_splits(connection, after=MONDAY, up_to=WEDNESDAY) == {"A": both[1:]}


def bar(symbol: str, price: float) -> DailyRow:
    return DailyRow(T=symbol, o=price, h=price, l=price, c=price, v=1.0, t=0)


async def test_listed_splits_come_with_the_raw_prices_around_their_morning(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [bar("A", 70.0), bar("B", 5.0)], load_id=1)
    await bars.replace_bars(connection, WEDNESDAY, [bar("A", 10.5)], load_id=1)
    await splits.upsert_splits(connection, [split("A", TUESDAY), split("B", TUESDAY)], load_id=1, now=NOW)
    found = {
        group.splits[0].symbol: group.prices for group in await split_prices.read_listed(connection, up_to=WEDNESDAY)
    }
    assert found == {"A": OvernightPrices(close_before=70.0, open_after=10.5, close_after=10.5), "B": None}


async def test_a_renamed_company_is_held_against_the_prices_under_its_old_symbol(connection: Connection) -> None:
    async def listing(symbol: str, day: dt.date) -> None:
        rows = [TickerRow(ticker=symbol, composite_figi="F1"), TickerRow(ticker="Z", composite_figi="F2")]
        await tickers.apply_listing(connection, rows, tickers.Evening(day=day, now=NOW))

    await listing("OLD", MONDAY)
    await bars.replace_bars(connection, MONDAY, [bar("OLD", 70.0)], load_id=1)
    await listing("NEW", TUESDAY)
    await bars.replace_bars(connection, TUESDAY, [bar("NEW", 10.0)], load_id=1)
    await splits.upsert_splits(connection, [split("NEW", TUESDAY)], load_id=1, now=NOW)
    await identity.settle_contested(connection, now=NOW)
    (group,) = await split_prices.read_listed(connection, up_to=TUESDAY)
    assert group.prices == OvernightPrices(close_before=70.0, open_after=10.0, close_after=10.0)


async def test_a_contradicted_split_is_kept_and_not_applied(connection: Connection) -> None:
    listed = [split("A", MONDAY), split("A", MONDAY, 2.0)]
    await splits.upsert_splits(connection, listed, load_id=1, now=NOW)
    judged = [(listed[0], Proof.CONTRADICTED, 0.5), (listed[1], Proof.CONFIRMED, 0.5)]
    assert await splits.store_proofs(connection, judged) == 2
    assert await splits.store_proofs(connection, judged) == 0
    assert await splits.read_splits(connection, after=LONG_AGO, up_to=MONDAY) == {"A": [listed[1]]}
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
    await splits.store_proofs(connection, [(wrong, Proof.CONTRADICTED, None)])
    rows = await connection.fetch("SELECT close, volume FROM public.market_data_daily_adjusted ORDER BY trading_date")
    assert [tuple(row) for row in rows] == [(pytest.approx(10.0), pytest.approx(7.0)), (10.0, 1.0)]


async def test_a_jump_without_a_split_is_found(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [bar("A", 70.0), bar("B", 70.0), bar("C", 10.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [bar("A", 10.0), bar("B", 10.0), bar("C", 11.0)], load_id=1)
    await splits.upsert_splits(connection, [split("B", TUESDAY)], load_id=1, now=NOW)
    jumps = await split_prices.read_jumps(connection, TUESDAY, MONDAY, factor=1.9)
    assert [symbol for symbol, _ in jumps] == ["A"]


# A company that has changed its symbol


async def swap(connection: Connection, **took: str) -> None:
    """On Tuesday FB becomes META; *took*: what META's old company, and whoever has FB now, are called since."""
    monday = [row("FB", "1"), row("META", "2"), row("ZZ", "3")]
    await tickers.apply_listing(connection, monday, tickers.Evening(day=MONDAY, now=NOW))
    tuesday = [row("META", "1"), row("METV", "2"), row("ZZ", "3")]
    tuesday += [row("FB", took["fb"])] if "fb" in took else []
    await tickers.apply_listing(connection, tuesday, tickers.Evening(day=TUESDAY, now=NOW))


def row(symbol: str, company: str) -> TickerRow:
    return TickerRow(ticker=symbol, composite_figi=f"F{company}", cik=company)


async def prices(connection: Connection, day: dt.date, **closes: float) -> None:
    await bars.replace_bars(connection, day, [bar(symbol, close) for symbol, close in closes.items()], load_id=1)
    await connection.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
        "VALUES ('daily_bars', $1, 1, $2, 1)",
        day, NOW,
    )  # fmt: skip


async def adjusted(connection: Connection, symbol: str) -> list[float]:
    """Closes by the view, after all was judged as check_splits does; they must be those that read_splits gives."""
    await identity.settle_contested(connection, now=NOW)
    listed = await split_prices.read_listed(connection, up_to=WEDNESDAY)
    await splits.store_proofs(connection, judge(listed)[0])
    await splits.store_owners(connection, owners(listed))
    rows = await connection.fetch(
        "SELECT h.trading_date, h.close AS raw, a.close FROM daily_history AS h "
        "JOIN public.market_data_daily_adjusted AS a USING (trading_date, symbol) WHERE symbol = $1 ORDER BY 1",
        symbol,
    )
    own = (await splits.read_splits(connection, after=LONG_AGO, up_to=WEDNESDAY)).get(symbol, [])
    factors = price_factors(np.array([r["trading_date"] for r in rows], "datetime64[D]"), own, as_of=WEDNESDAY)
    assert [r["close"] for r in rows] == pytest.approx([r["raw"] * f for r, f in zip(rows, factors, strict=True)])
    return [round(float(r["close"]), 6) for r in rows]


@pytest.mark.parametrize(
    ("listed_as", "day"),
    [
        pytest.param(["FB"], WEDNESDAY, id="under the former symbol, after the rename"),
        pytest.param(["META"], WEDNESDAY, id="under the present one"),
        pytest.param(["FB", "META"], WEDNESDAY, id="under both: once"),
        pytest.param(["FB"], TUESDAY, id="on the day of the rename"),
        pytest.param(["META"], TUESDAY, id="under the present one on that day"),
    ],
)
async def test_a_split_counts_once_under_whichever_symbol_its_company_is_listed(
    connection: Connection, listed_as: list[str], day: dt.date
) -> None:
    await swap(connection)
    await prices(connection, MONDAY, FB=70.0)
    await prices(connection, TUESDAY, META=70.0 if day == WEDNESDAY else 10.0)
    await prices(connection, WEDNESDAY, META=10.0)
    await splits.upsert_splits(connection, [split(symbol, day) for symbol in listed_as], load_id=1, now=NOW)
    assert await adjusted(connection, "META") == [10.0, 10.0, 10.0]
    before = NOW - dt.timedelta(days=2)
    await connection.execute("UPDATE listed_ticker SET changed_at = $1", before - dt.timedelta(days=1))
    await details.store_details(connection, [TickerDetails(ticker=one) for one in ("META", "ZZ")], [], now=before)
    due = await details.details_due(
        connection, day=WEDNESDAY, refresh_days=365, now=NOW + dt.timedelta(days=1), symbols=["META", "ZZ"]
    )  # fmt: skip
    assert due == ["META"], "its split has been executed since"
    assert await split_prices.read_jumps(connection, day, MONDAY if day == TUESDAY else TUESDAY, factor=1.9) == []


async def test_a_split_executed_after_the_rename_belongs_to_the_company_that_has_the_symbol_since(
    connection: Connection,
) -> None:
    await swap(connection, fb="9")
    await prices(connection, MONDAY, FB=70.0)
    await prices(connection, TUESDAY, META=70.0, FB=21.0)
    await prices(connection, WEDNESDAY, META=70.0, FB=3.0)
    await splits.upsert_splits(connection, [split("FB", WEDNESDAY)], load_id=1, now=NOW)
    assert await adjusted(connection, "META") == [70.0, 70.0, 70.0]
    assert await adjusted(connection, "FB") == [3.0, 3.0]


@pytest.mark.parametrize(("fb", "meta"), [((70.0, 10.0), (14.0, 14.0)), ((10.0, 10.0), (14.0, 2.0))])
async def test_a_split_of_before_the_symbol_changed_hands_belongs_to_whose_price_shows_it(
    connection: Connection, fb: tuple[float, float], meta: tuple[float, float]
) -> None:
    """Listed as META on Tuesday: by today's names that is the former FB, by the names of that day the former META."""
    await tickers.apply_listing(connection, [row("FB", "1"), row("META", "2")], tickers.Evening(day=TUESDAY, now=NOW))
    await prices(connection, MONDAY, FB=fb[0], META=meta[0])
    await prices(connection, TUESDAY, FB=fb[1], META=meta[1])
    await tickers.apply_listing(
        connection, [row("META", "1"), row("METV", "2")], tickers.Evening(day=WEDNESDAY, now=NOW)
    )
    await prices(connection, WEDNESDAY, META=fb[1], METV=meta[1])
    await splits.upsert_splits(connection, [split("META", TUESDAY)], load_id=1, now=NOW)
    assert await adjusted(connection, "META") == [fb[1]] * 3
    assert await adjusted(connection, "METV") == [meta[1]] * 3
