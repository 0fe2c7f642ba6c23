"""Holds dividends to: whose they are across renames, once however they are listed, and closes by exact arithmetic."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import bars, dividend_factors, dividend_prices, dividends, identity, splits
from consumer.tasks.dividend_judgement import judge
from consumer.vendor.rows import DailyRow
from market.dividend_check import Sight
from market.dividends import Dividend
from market.splits import Split
from market.trading_calendar import TradingCalendar
from tests.postgres.test_splits import MONDAY, NOW, TUESDAY, WEDNESDAY, bar, prices, swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

SINCE = dt.date(2025, 10, 1)
CALENDAR = TradingCalendar()


def dividend(symbol: str, day: dt.date, amount: float = 0.5, *, kind: str = "recurring") -> Dividend:
    return Dividend(symbol=symbol, ex_day=day, amount=amount, currency="USD", kind=kind)


async def loaded(connection: Connection, listed: Sequence[Dividend], *, up_to: dt.date = WEDNESDAY) -> None:
    """List, check and cover as a night does."""
    await dividends.upsert_dividends(connection, listed, load_id=1, now=NOW)
    await identity.settle_contested(connection, now=NOW)
    await dividends.assign_companies(connection)
    again = dividend_prices.Again(everything=True)
    judged = [
        judge(one, (), close_is_known=True) for one in await dividend_prices.read_around(connection, again, up_to=up_to)
    ]
    await dividends.store_sights(connection, [seen for one in judged for seen in one.sights])
    await dividend_factors.store_factors(connection, [one.ex_day for one in judged], load_id=1)
    await connection.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, detail) VALUES "
        "('dividends', $1, 1, $2, 1, $3), ('dividend_check', $1, 1, $2, 1, '{}')",
        up_to,
        NOW,
        {"since": SINCE.isoformat()},
    )


async def have_bars_up_to(connection: Connection, day: dt.date) -> None:
    """What the adjusted views take for the newest session."""
    await connection.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
        "VALUES ('daily_bars', $1, 1, $2, 1)",
        day,
        NOW,
    )


async def closes(connection: Connection, symbol: str) -> list[float | None]:
    rows = await connection.fetch(
        "SELECT total_return_close FROM public.daily_total_return WHERE symbol = $1 ORDER BY trading_date", symbol
    )
    return [row["total_return_close"] for row in rows]


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
async def test_a_dividend_counts_once_under_whichever_symbol_its_company_is_listed(
    connection: Connection, listed_as: list[str], day: dt.date
) -> None:
    await swap(connection)
    await prices(connection, MONDAY, FB=10.0)
    await prices(connection, TUESDAY, META=10.0)
    await prices(connection, WEDNESDAY, META=10.0)
    await loaded(connection, [dividend(symbol, day) for symbol in listed_as])
    before = [pytest.approx(9.5)] * (1 if day == TUESDAY else 2)
    assert await closes(connection, "META") == [*before, *[10.0] * (3 - len(before))]
    assert await connection.fetchval("SELECT sum(paid) FROM dividend_factor") == 0.5


async def test_a_dividend_of_whoever_had_a_symbol_before_it_changed_hands_is_not_the_present_companys(
    connection: Connection,
) -> None:
    """META's of Monday was paid by the company that is called METV since Tuesday."""
    await swap(connection)
    await prices(connection, MONDAY - dt.timedelta(days=3), META=20.0, FB=10.0)
    await prices(connection, MONDAY, META=20.0, FB=10.0)
    await prices(connection, TUESDAY, METV=20.0, META=10.0)
    await prices(connection, WEDNESDAY, METV=20.0, META=10.0)
    await loaded(connection, [dividend("META", MONDAY, 1.0)])
    assert await closes(connection, "METV") == [pytest.approx(19.0), 20.0, 20.0, 20.0]
    assert await closes(connection, "META") == [10.0] * 4


async def test_an_ex_day_without_a_factor_is_due_again_where_a_former_symbol_of_the_company_has_a_price_near(
    connection: Connection,
) -> None:
    await swap(connection)
    await prices(connection, MONDAY, FB=10.0)
    await prices(connection, TUESDAY, META=10.0)
    listed = [dividend("META", WEDNESDAY), dividend("ELSE", WEDNESDAY)]
    await dividends.upsert_dividends(connection, listed, load_id=1, now=NOW)
    await identity.settle_contested(connection, now=NOW)
    await connection.execute("DELETE FROM daily_bar WHERE trading_date = $1", TUESDAY)
    again = dividend_prices.Again()
    around = await dividend_prices.read_around(connection, again, up_to=WEDNESDAY)
    assert [one.company for one in around] == ["ELSE", "META"]
    judged = [judge(one, (), close_is_known=False).ex_day for one in around]
    await dividend_factors.store_factors(connection, judged, load_id=2)
    around = await dividend_prices.read_around(connection, again, up_to=WEDNESDAY)
    assert [one.company for one in around] == ["META"]


async def test_a_correction_keeps_when_it_was_first_listed_and_what_stands_keeps_its_load(
    connection: Connection,
) -> None:
    first, other = dividend("A", MONDAY), dividend("B", MONDAY)
    assert await dividends.upsert_dividends(connection, [first, other], load_id=1, now=NOW) == 2
    assert await dividends.upsert_dividends(connection, [first, other], load_id=2, now=NOW) == 0
    later = Dividend(symbol="A", ex_day=MONDAY, amount=0.5, currency="USD", kind="recurring", pay_day=WEDNESDAY)
    assert await dividends.upsert_dividends(connection, [later, other], load_id=3, now=NOW) == 1
    stored = dict(await dividends.read_stored(connection, since=MONDAY, until=MONDAY))
    assert stored == {later: Sight.UNCHECKED, other: Sight.UNCHECKED}
    loads = await connection.fetch("SELECT symbol, load_id FROM stock_dividend ORDER BY 1")
    assert [tuple(row) for row in loads] == [("A", 3), ("B", 1)]


async def test_the_view_is_exact_arithmetic_on_markets_drawn_at_random(connection: Connection) -> None:
    """Sixty sessions, twelve shares; splits and several dividends each, some on one morning: all in Fractions."""
    random = Random(20251126)
    days = CALENDAR.last_trading_days(60, up_to=WEDNESDAY)
    since = days[0].isoformat()
    shares = {f"S{number}": [round(random.uniform(5, 500), 2) for _ in days] for number in range(12)}
    for number, day in enumerate(days):
        rows = [
            DailyRow(T=symbol, o=own[number], h=own[number], l=own[number], c=own[number], v=1.0, t=0)
            for symbol, own in shares.items()
        ]
        await bars.replace_bars(connection, day, rows, load_id=1)
    split_of = {symbol: (random.randrange(5, 55), random.choice([2.0, 3.0, 0.1, 1.5])) for symbol in shares}
    paid: dict[str, list[tuple[int, float]]] = {
        symbol: [(random.randrange(1, 60), round(random.uniform(0.01, 0.4), 4)) for _ in range(5)]
        + [(split_of[symbol][0], 0.03125)]
        for symbol in shares
    }
    await have_bars_up_to(connection, WEDNESDAY)
    listed = [
        Split(symbol=symbol, execution_day=days[at], split_from=1.0, split_to=to, kind="split")
        for symbol, (at, to) in split_of.items()
    ]
    await splits.upsert_splits(connection, listed, load_id=1, now=NOW)
    events = [
        dividend(symbol, days[at], amount, kind=f"number {place}")
        for symbol, own in paid.items()
        for place, (at, amount) in enumerate(own)
    ]
    await loaded(connection, events)
    await connection.execute("UPDATE coverage SET detail = $1 WHERE data_set = 'dividends'", {"since": since})
    for symbol, own in shares.items():
        at_split, to = split_of[symbol]
        exact = []
        for number, close in enumerate(own):
            value = Fraction(close)
            if number < at_split:
                value /= Fraction(to)
            for day in {at for at, _ in paid[symbol] if at > number}:
                before = Fraction(own[day - 1]) / (Fraction(to) if day == at_split else 1)
                value *= 1 - sum(Fraction(amount) for at, amount in paid[symbol] if at == day) / before
            exact.append(float(value))
        assert await closes(connection, symbol) == pytest.approx(exact, rel=1e-12), symbol


async def test_the_worked_example_of_an_adjusted_close_comes_out_as_it_is_printed(connection: Connection) -> None:
    """Yahoo's "What exactly is adjusted close?", February 2003: 2:1 on the 18th, 0.08 with an ex-day on the 19th."""
    raw = {13: 46.99, 14: 48.30, 18: 24.96, 19: 24.53}
    last = dt.date(2003, 2, 19)
    for day, close in raw.items():
        await bars.replace_bars(connection, dt.date(2003, 2, day), [bar("Y", close)], load_id=1)
    await have_bars_up_to(connection, last)
    split = Split(symbol="Y", execution_day=dt.date(2003, 2, 18), split_from=1.0, split_to=2.0, kind="split")
    await splits.upsert_splits(connection, [split], load_id=1, now=NOW)
    await loaded(connection, [dividend("Y", last, 0.08)], up_to=last)
    await connection.execute("UPDATE coverage SET detail = $1 WHERE data_set = 'dividends'", {"since": "2003-02-01"})
    found = [round(close, 2) for close in await closes(connection, "Y") if close is not None]
    assert found == [23.42, 24.07, 24.88, 24.53]
