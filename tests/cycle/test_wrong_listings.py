"""A listing that errs at five and is right in the evening moves no history and no figure through that day's passes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.vendor.rows import TickerRow
from tests.cycle.stack import DAY, new_york

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cycle.stack import Stack

MARKET_OF = 60  # tickers

NEXT = dt.date(2025, 11, 12)
Rows = list[TickerRow]


def coded(rows: Rows) -> Rows:
    """Every company with codes of its own, as the vendor gives them."""
    return [
        msgspec.structs.replace(row, composite_figi=f"F{row.ticker}", share_class_figi=None, cik=None)
        for row in rows
        if row.ticker.isalnum()
    ]


def a_newcomer_with_its_code(rows: Rows) -> Rows:
    newcomer = TickerRow(ticker="NEWCO", type="CS", active=True, market="stocks", composite_figi="FAAPL", cik="9999999")
    return [row for row in rows if row.ticker != "AAPL"] + [newcomer]


def exchanged(rows: Rows) -> Rows:
    other = {"AAPL": "FKO", "KO": "FAAPL"}
    return [msgspec.structs.replace(row, composite_figi=other.get(row.ticker, row.composite_figi)) for row in rows]


def list_as(stack: Stack, edit: Callable[[Rows], Rows]) -> None:
    massive: Any = stack.services.vendor
    ask = type(massive).list_tickers

    async def list_tickers(*, active: bool = True, sieve: Any) -> Any:
        found = await ask(massive, active=active, sieve=sieve)
        return msgspec.structs.replace(found, rows=edit(list(found.rows))) if active else found

    massive.list_tickers = list_tickers


async def histories(stack: Stack) -> list[tuple[Any, ...]]:
    rows = await stack.pool.fetch(
        "SELECT a.symbol, a.bars_used, count(*), bool_and(h.traded_as = h.symbol) FROM ticker_atr AS a "
        "JOIN daily_history AS h USING (symbol) WHERE symbol IN ('AAPL', 'KO', 'NEWCO') AND a.trading_date = $1 "
        "GROUP BY 1, 2 ORDER BY 1",
        NEXT,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("wrong", [a_newcomer_with_its_code, exchanged])
async def test_a_wrong_listing_before_the_bars_moves_no_history(stack: Stack, wrong: Callable[[Rows], Rows]) -> None:
    list_as(stack, coded)
    await stack.run_cycle(DAY)
    stack.clock.at = new_york(NEXT, "17:00")
    list_as(stack, lambda rows: wrong(coded(rows)))
    assert (await stack.run_cycle(NEXT)).state == "complete"
    assert await histories(stack) == [("AAPL", 17, 17, True), ("KO", 17, 17, True)]
    stack.clock.at = new_york(NEXT, "20:30")
    list_as(stack, coded)
    assert (await stack.run_cycle(NEXT)).warnings == ()
    assert await histories(stack) == [("AAPL", 17, 17, True), ("KO", 17, 17, True)]
