"""Dividends are kept as they are listed, told where the price does not show them, and taken off the closes before."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.dividends import check_dividends, load_dividends
from consumer.vendor.errors import BadAnswer
from consumer.vendor.rows import Flaw
from tests.tasks.conftest import DAY
from tests.tasks.dividend_desk import DAYS, LEVEL, checked, fallen, listed, paid, put, series, verdicts
from tests.tasks.stored_bars import SINCE, load_listed, split

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

EX = DAYS[15]
BEFORE = DAYS[14]


async def checked_long_after(desk: Desk) -> None:
    """Check again so much later that no bar is newer than that."""
    desk.now += dt.timedelta(days=9)
    assert await checked(desk) == ()


async def test_a_dividend_that_the_price_shows_is_taken_off_every_close_before_it(desk: Desk) -> None:
    await put(desk, A=fallen(on=EX))
    assert await listed(desk, paid("A", EX)) == ()
    assert await checked(desk) == ()
    assert await verdicts(desk) == {("A", EX, 10.0): "shown"}
    assert await desk.pool.fetchval("SELECT price_drop FROM stock_dividend") == 10.0
    assert await series(desk, "A") == {day: (price, pytest.approx(90.0), 0) for day, price in fallen(on=EX).items()}, (
        "who held it over the ex-day has lost nothing"
    )


async def test_a_large_dividend_that_the_price_does_not_show_is_told_kept_and_left_out(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    await listed(desk, paid("A", EX), paid("A", EX, 0.5, distribution_type="recurring"))
    assert await checked(desk) == (
        f"dividends: A {EX} 10 USD is not applied: the price went to 1 of the close before, not to 0.9",
    )
    assert await verdicts(desk) == {("A", EX, 10.0): "not_shown", ("A", EX, 0.5): "unchecked"}
    found = await series(desk, "A")
    assert found[BEFORE] == (100.0, pytest.approx(99.5), 1), "the ordinary one beside it counts"
    assert found[EX] == (100.0, 100.0, 0)


async def test_a_dividend_in_another_currency_or_in_none_is_told_and_left_out(desk: Desk) -> None:
    await put(desk, A=LEVEL, B=LEVEL, C=LEVEL)
    rows = [paid("A", EX, 1.0, currency="eur"), paid("B", EX, 1.0, currency=None), paid("C", EX, 1.0, currency="usd")]
    await listed(desk, *rows)
    assert await checked(desk) == (
        f"dividends: 2 are not applied, as they are not paid in USD: A {EX} 1 EUR, B {EX} 1 XXX",
    )
    closes = {symbol: (await series(desk, symbol))[BEFORE] for symbol in "ABC"}
    assert closes == {"A": (100.0, 100.0, 1), "B": (100.0, 100.0, 1), "C": (100.0, 99.0, 0)}


async def test_no_close_is_read_across_a_hole_and_what_is_not_known_is_null(desk: Desk) -> None:
    """The session before the ex-day is not there: the close of the day before that one is another morning's."""
    lacking = {day: price for day, price in LEVEL.items() if day != BEFORE}
    await put(desk, A=lacking)
    await listed(desk, paid("A", EX, 0.5))
    assert await checked(desk) == (
        f"dividends: 1 have no close right before their ex-day: total-return closes before it are not known: "
        f"A {EX} 0.5 USD",
    )
    found = await series(desk, "A")
    assert {close for day, (_, close, _) in found.items() if day < EX} == {None}
    assert found[EX] == (100.0, 100.0, 0)
    await put(desk, A={BEFORE: 100.0})
    assert await checked(desk) == ()
    assert (await series(desk, "A"))[DAYS[0]] == (100.0, pytest.approx(99.5), 0), "once the session is there"


async def test_a_session_in_which_a_share_did_not_trade_is_no_hole(desk: Desk) -> None:
    quiet = {day: price for day, price in LEVEL.items() if day not in DAYS[12:15]}
    await put(desk, A=quiet, B=LEVEL)
    await listed(desk, paid("A", EX, 0.5))
    assert await checked(desk) == ()
    assert (await series(desk, "A"))[DAYS[11]] == (100.0, pytest.approx(99.5), 0)


async def test_a_large_dividend_of_a_share_that_trades_again_days_after_its_ex_day_is_judged_then(desk: Desk) -> None:
    until, since = DAYS[16], DAYS[17]
    await put(desk, A={day: 100.0 for day in DAYS if day < EX}, B={day: 100.0 for day in DAYS if day <= until})
    await listed(desk, paid("A", EX))
    assert await checked(desk) == ()
    assert await verdicts(desk) == {("A", EX, 10.0): "unchecked"}
    await checked_long_after(desk)
    await put(desk, A={DAYS[18]: 100.0}, B={day: 100.0 for day in DAYS if day >= since})
    assert await checked(desk) == (
        f"dividends: A {EX} 10 USD is not applied: the price went to 1 of the close before, not to 0.9",
    )
    assert (await series(desk, "A"))[BEFORE] == (100.0, 100.0, 1)


async def test_an_ex_day_without_any_price_is_looked_at_again_once_a_price_or_the_list_changes(desk: Desk) -> None:
    lacking = {day: price for day, price in LEVEL.items() if day != BEFORE}
    await put(desk, B=lacking)
    await listed(desk, paid("A", EX, 0.5))
    await checked(desk)
    await checked_long_after(desk)
    assert (await desk.run(check_dividends)).rows == 0, "nothing has come of it"
    await listed(desk, paid("A", EX, 0.7))
    assert (await desk.run(check_dividends)).rows == 1
    assert await desk.pool.fetchval("SELECT paid FROM dividend_factor") == 0.7
    assert (await desk.run(check_dividends)).rows == 0
    await put(desk, A={BEFORE: 100.0})
    assert (await desk.run(check_dividends)).rows == 1
    assert await series(desk, "A") == {BEFORE: (100.0, pytest.approx(99.3), 0)}


async def test_an_ex_day_behind_a_hole_is_told_every_night(desk: Desk) -> None:
    await put(desk, A={day: price for day, price in LEVEL.items() if day != BEFORE})
    await listed(desk, paid("A", EX, 0.5))
    told = await checked(desk)
    desk.now += dt.timedelta(days=9)
    assert len(told) == 1
    assert await checked(desk) == told


async def test_a_bar_that_was_set_aside_is_a_hole_of_its_symbol_alone(desk: Desk) -> None:
    lacking = {day: price for day, price in LEVEL.items() if day != BEFORE}
    await put(desk, A=lacking, B=LEVEL)
    await desk.pool.execute(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol) "
        "VALUES (1, 'daily_bars', $1, 'price', '{}', 'A')",
        BEFORE,
    )
    await listed(desk, paid("A", EX, 0.5), paid("B", EX, 0.5))
    await checked(desk)
    assert (await series(desk, "A"))[DAYS[0]][1] is None
    assert (await series(desk, "B"))[DAYS[0]][1] == pytest.approx(99.5)


async def test_payment_and_close_are_held_on_one_basis_where_a_split_falls_on_the_ex_day(desk: Desk) -> None:
    """Paid on the new shares, a tenth of which is 1.25 of what they cost: 100 before the split of one for eight."""
    await put(desk, A={day: 100.0 if day < EX else 11.25 for day in DAYS})
    await load_listed(desk, split("A", EX, 8.0))
    await listed(desk, paid("A", EX, 1.25))
    assert await checked(desk) == ()
    assert await verdicts(desk) == {("A", EX, 1.25): "shown"}
    found = await series(desk, "A")
    assert found[BEFORE] == (pytest.approx(12.5), pytest.approx(11.25), 0)
    await checked_long_after(desk)
    await desk.pool.execute("DELETE FROM stock_split")
    await checked(desk)
    assert (await series(desk, "A"))[BEFORE] == (100.0, pytest.approx(98.75), 0), "without the split, on the old one"


async def test_a_stock_dividend_is_a_split_and_takes_no_cash_off(desk: Desk) -> None:
    await put(desk, A={day: 105.0 if day < EX else 100.0 for day in DAYS})
    await load_listed(desk, split("A", EX, 1.05))
    assert await listed(desk) == ()
    await checked(desk)
    assert (await series(desk, "A"))[BEFORE] == (pytest.approx(100.0), pytest.approx(100.0), 0)


async def test_what_is_announced_is_kept_and_takes_nothing_off_before_its_day(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    await listed(desk, paid("A", DAY + dt.timedelta(days=2), 1.0))
    assert await checked(desk) == ()
    assert len(await verdicts(desk)) == 1
    assert {close for _, close, _ in (await series(desk, "A")).values()} == {100.0}


async def test_without_a_list_of_dividends_no_total_return_is_known(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    await checked(desk)
    assert {(adjusted, close) for adjusted, close, _ in (await series(desk, "A")).values()} == {(100.0, None)}


async def test_closes_before_the_list_begins_or_after_it_ends_have_no_total_return(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    desk.vendor.answers["list_dividends"] = []
    await desk.run(load_dividends, {"since": DAYS[3].isoformat()})
    await checked(desk)
    found = await series(desk, "A")
    assert [found[day][1] for day in (DAYS[2], DAYS[3], DAY)] == [None, 100.0, 100.0]
    await desk.pool.execute("UPDATE coverage SET trading_day = $1 WHERE data_set = 'dividends'", DAYS[18])
    found = await series(desk, "A")
    assert [found[day][1] for day in (DAYS[18], DAY)] == [100.0, None]


async def test_a_dividend_that_is_listed_late_or_otherwise_is_not_known_until_it_is_checked(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    await listed(desk)
    await checked(desk)
    for amount in (0.5, 1.0):
        await listed(desk, paid("A", EX, amount))
        assert (await series(desk, "A"))[BEFORE][1] is None, "and not what it was before"
        await checked(desk)
        assert (await series(desk, "A"))[BEFORE][1] == pytest.approx(100.0 - amount)
    assert await listed(desk) == (f"dividends: 1 are listed no more and were taken back: A {EX} 1 USD",)
    assert (await series(desk, "A"))[BEFORE][1] is None
    await checked(desk)
    assert (await series(desk, "A"))[BEFORE][1] == 100.0


async def test_one_of_two_payments_of_a_day_that_is_taken_back_leaves_the_other(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    both = [paid("A", DAYS[3], 0.5), paid("A", DAYS[3], 1.0)]
    await listed(desk, *both)
    await checked(desk)
    await checked_long_after(desk)
    await listed(desk, both[0])
    await checked(desk)
    assert (await series(desk, "A"))[DAYS[0]][1] == pytest.approx(99.5)


ROWS = "SELECT array_agg((d.xmin::text, d.ctid::text) ORDER BY d.ctid) FROM stock_dividend AS d"
FACTORS = "SELECT array_agg((f.xmin::text, f.ctid::text) ORDER BY f.ctid) FROM dividend_factor AS f"


async def test_a_night_that_changes_nothing_writes_no_row_of_a_dividend(desk: Desk) -> None:
    await put(desk, A=fallen(on=EX), B=LEVEL, C=LEVEL)
    rows = [paid("A", EX), paid("B", EX), paid("C", EX, currency="CAD"), paid("C", DAYS[8], 0.25, id="x", frequency=4)]
    await listed(desk, *rows)
    await checked(desk)
    before = [await desk.pool.fetchval(query) for query in (ROWS, FACTORS)]
    desk.now += dt.timedelta(days=1)
    await listed(desk, *rows)
    await checked(desk)
    assert [await desk.pool.fetchval(query) for query in (ROWS, FACTORS)] == before


async def test_what_the_list_says_of_a_dividend_otherwise_is_corrected_in_its_row(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    await listed(desk, paid("A", EX, 0.5, pay_date=DAY))
    first = await desk.pool.fetchval("SELECT first_listed_at FROM stock_dividend")
    desk.now += dt.timedelta(days=1)
    await listed(desk, paid("A", EX, 0.5, pay_date=DAY + dt.timedelta(days=3)))
    row = await desk.pool.fetchrow("SELECT pay_day, first_listed_at FROM stock_dividend")
    assert tuple(row or ()) == (DAY + dt.timedelta(days=3), first)


# What a list lacks


async def test_a_list_that_was_cut_changes_nothing(desk: Desk) -> None:
    await put(desk, A=LEVEL)
    many = [paid("A", day, 0.5) for day in DAYS[1:13]]
    await listed(desk, *many)
    with pytest.raises(BadAnswer, match=r"8 dividends for .* where 12 are stored: nothing changed"):
        await listed(desk, *many[:8])
    assert len(await verdicts(desk)) == 12
    assert len(await listed(desk, *many[:9])) == 1, "three may have been taken back"
    assert len(await verdicts(desk)) == 9


async def test_a_dividend_that_the_price_shows_is_not_taken_back_because_a_list_lacks_it(desk: Desk) -> None:
    await put(desk, A=fallen(on=EX))
    await listed(desk, paid("A", EX))
    await checked(desk)
    told = f"dividends: 1 are missing in the list, and kept: A {EX} 10 USD (the price shows it)"
    assert await listed(desk) == (told,)
    await checked(desk)
    assert (await series(desk, "A"))[BEFORE][1] == pytest.approx(90.0)


@pytest.mark.parametrize("now", [paid("A", DAYS[16]), paid("A", EX, 11.0), paid("A", EX, distribution_type="other")])
async def test_a_dividend_that_is_listed_with_another_day_amount_or_kind_is_corrected(desk: Desk, now: Any) -> None:
    await put(desk, A=fallen(on=EX))
    await listed(desk, paid("A", EX))
    await checked(desk)
    assert await listed(desk, now) == (f"dividends: 1 are listed no more and were taken back: A {EX} 10 USD",)
    assert list(await verdicts(desk)) == [("A", now.ex_dividend_date, now.cash_amount)]


@pytest.mark.parametrize("symbol", ["A", None])
async def test_a_dividend_whose_row_was_set_aside_is_not_taken_back(desk: Desk, symbol: str | None) -> None:
    await put(desk, A=LEVEL)
    await listed(desk, paid("A", EX, 0.5))

    async def list_dividends(*_: Any, sieve: Any) -> list[Any]:
        sieve.drop_row(Flaw.AMOUNT, {"cash_amount": "NaN"}, symbol)
        return []

    desk.vendor.list_dividends = list_dividends  # type: ignore[attr-defined]
    report = await desk.run(load_dividends, {"since": SINCE.isoformat()})
    assert report.warnings == (
        "dividends: 1 rows set aside (amount)",
        f"dividends: 1 are missing in the list, and kept: A {EX} 0.5 USD (a row that may be its was set aside)",
    )
    assert len(await verdicts(desk)) == 1


async def test_of_many_the_first_are_named_and_the_others_counted(desk: Desk) -> None:
    shares = {f"S{number}": LEVEL for number in range(9)}
    await put(desk, **shares)
    await listed(desk, *(paid(symbol, EX) for symbol in shares))
    told = await checked(desk)
    assert len(told) == 6
    assert told[-1] == "dividends: 4 more are not shown by their price"
