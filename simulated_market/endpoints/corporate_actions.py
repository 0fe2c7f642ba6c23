"""Answers with splits, under the vendor's new address and under the one it replaces, and with cash dividends.

What is announced for the next weeks is listed too; the historical factor of a split is as of today.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from simulated_market.answer import Answer, Call
from simulated_market.assumptions import ShareBasis
from simulated_market.endpoints.reference import by_ticker
from simulated_market.invented.periods import HISTORY_BEGINS
from simulated_market.paging import Pages
from simulated_market.request_fields import optional_day
from simulated_market.vendor_errors import bad_request
from simulated_market.wire_rows import DividendRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated_market.market_source import MarketSource
    from simulated_market.publication import Publication
    from simulated_market.wire_rows import SplitRow

_ANNOUNCED = dt.timedelta(days=21)
_ONE_DAY = dt.timedelta(days=1)


class CorporateActions:
    """The two split addresses and that of dividends over one market."""

    def __init__(self, market: MarketSource, publication: Publication) -> None:
        self._market = market
        self._publication = publication
        self._pages = Pages(publication.assumptions)

    def splits(self, call: Call) -> Answer:
        rows = self._with_factors(self._found(call))
        page, following = self._pages.one(self._sorted(call, rows), call, default=100, most=5000)
        return Answer(results=page, following=following)

    def old_splits(self, call: Call) -> Answer:
        rows = [msgspec.structs.replace(row, adjustment_type=None) for row in self._found(call)]
        if call.query.get("order", "desc") == "desc":
            rows = rows[::-1]
        page, following = self._pages.one(rows, call, default=10, most=1000)
        return Answer(results=page, following=following)

    def dividends(self, call: Call) -> Answer:
        first, last = self._between(call, "ex_dividend_date")
        found = by_ticker(self._dividends(first, last), call.query) if first <= last else []
        field, _, order = call.query.get("sort", "ticker.asc").partition(".")
        if field not in ("ex_dividend_date", "ticker") or order not in ("asc", "desc", ""):
            raise bad_request(f"Cannot sort dividends by '{field}.{order}'")
        rows: list[DividendRow] = sorted(found, key=lambda row: getattr(row, field), reverse=order == "desc")
        page, following = self._pages.one(rows, call, default=100, most=5000)
        return Answer(results=page, following=following)

    def _dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        """Those of the market, and where a switch says so one on the morning of a split."""
        paid, basis = self._market.dividends(first, last), self._publication.assumptions.split_day_dividend
        splits = [] if basis is None else self._market.splits(first, min(last, self._publication.today()))
        if not splits:
            return paid
        split = splits[-1]
        ratio = split.split_from / split.split_to if basis is ShareBasis.BEFORE else 1.0
        return [
            *paid,
            DividendRow(
                id="0" * 16,
                ticker=split.ticker,
                cash_amount=1.0,
                split_adjusted_cash_amount=ratio,
                currency="USD",
                ex_dividend_date=split.execution_date,
            ),
        ]

    def _found(self, call: Call) -> list[SplitRow]:
        """Splits inside the dates asked for, oldest first."""
        first, last = self._between(call, "execution_date")
        return list(by_ticker(self._market.splits(first, last), call.query)) if first <= last else []

    def _between(self, call: Call, field: str) -> tuple[dt.date, dt.date]:
        """The first and the last day that the request wants of *field*, and that there is anything of."""
        exact = optional_day(call.query, field)
        bounds = {name: optional_day(call.query, f"{field}.{name}") for name in ("gt", "gte", "lt", "lte")}
        lows = [HISTORY_BEGINS, exact, bounds["gte"], bounds["gt"] and bounds["gt"] + _ONE_DAY]
        announced = self._publication.today() + _ANNOUNCED
        highs = [announced, exact, bounds["lte"], bounds["lt"] and bounds["lt"] - _ONE_DAY]
        return max(low for low in lows if low is not None), min(high for high in highs if high is not None)

    def _with_factors(self, rows: Sequence[SplitRow]) -> list[SplitRow]:
        """The rows with the product of from/to of this and all later splits of the ticker."""
        if not rows:
            return []
        today = self._publication.today()
        first = dt.date.fromisoformat(rows[0].execution_date)
        running: dict[str, float] = {}
        factors: dict[tuple[str, str], float] = {}
        for row in reversed(self._market.splits(first, max(today, first) + _ANNOUNCED)):
            running[row.ticker] = running.get(row.ticker, 1.0) * row.split_from / row.split_to
            factors[row.ticker, row.execution_date] = round(running[row.ticker], 6)
        return [
            msgspec.structs.replace(row, historical_adjustment_factor=factors.get((row.ticker, row.execution_date)))
            for row in rows
        ]

    def _sorted(self, call: Call, rows: list[SplitRow]) -> list[SplitRow]:
        field, _, order = call.query.get("sort", "execution_date.desc").partition(".")
        if field not in ("execution_date", "ticker") or order not in ("asc", "desc", ""):
            raise bad_request(f"Cannot sort splits by '{field}.{order}'")
        if field == "ticker":
            rows = sorted(rows, key=lambda row: (row.ticker, row.execution_date))
        return rows[::-1] if order == "desc" else rows
