"""Answers with bars: all tickers of one day, or one ticker over a range.

A range's limit counts the one-minute bars behind the windows, as the vendor's does, so a page of
five-minute bars may end far below the limit.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from market.trading_calendar import NEW_YORK
from simulated_market.answer import Answer, Call
from simulated_market.bar_columns import BarColumns, joined
from simulated_market.paging import cursor_for, limit_of
from simulated_market.request_fields import day_field, instant_field, switch
from simulated_market.split_factors import factors_by_ticker, factors_of_bars
from simulated_market.vendor_errors import bad_request
from simulated_market.wire_rows import Bar, GroupedRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated_market.market_source import MarketSource
    from simulated_market.publication import Publication

_MINUTES = {"minute": 1, "hour": 60}
_WIDTHS = frozenset({1, 2, 3, 5, 10, 15, 20, 30, 60})
_DAYS_AT_ONCE = 40


class Aggregates:
    """The two families of bar addresses over one market."""

    def __init__(self, market: MarketSource, publication: Publication) -> None:
        self._market = market
        self._publication = publication

    def grouped_daily(self, call: Call) -> Answer:
        day = day_field("date", call.parts["day"])
        adjusted = switch(call.query, "adjusted", default=True)
        self._publication.check_day(day)
        rows = self._stamped(day, self._reported(day, self._market.grouped(day)))
        if adjusted:
            _adjust(rows, factors_by_ticker(self._market, day, self._publication.today()))
        return Answer(
            envelope={"queryCount": 0, "resultsCount": 0, "adjusted": adjusted, "count": 0},
            counted=("queryCount", "resultsCount", "count"),
            results=rows or None,
        )

    def range_bars(self, call: Call) -> Answer:
        first_ms, last_ms = self._interval(call)
        adjusted = switch(call.query, "adjusted", default=True)
        bars, following = self._page(call, first_ms, last_ms)
        ticker = call.parts["ticker"]
        if adjusted and len(bars):
            bars = bars.scaled(factors_of_bars(self._market, ticker, bars, self._publication.today()))
        return Answer(
            envelope={
                "ticker": ticker,
                "queryCount": int(bars.minutes.sum()),
                "resultsCount": 0,
                "adjusted": adjusted,
                "count": 0,
            },
            counted=("resultsCount", "count"),
            results=_rows(bars) or None,
            following=following,
        )

    def _reported(self, day: dt.date, rows: list[GroupedRow]) -> list[GroupedRow]:
        """The rows with the volume reported so far; none before the day has opened."""
        share = self._publication.share_of(day)
        if share == 0.0:
            return []
        if share < 1.0:
            for row in rows:
                row.v = round(row.v * share, 6)
        return rows

    def _stamped(self, day: dt.date, rows: list[GroupedRow]) -> list[GroupedRow]:
        """The rows as the vendor stamps and rounds them, where that is another way than assumed."""
        assumed = self._publication.assumptions
        at = assumed.half_day_stamp
        if at is not None and rows and self._market.calendar.session(day).early_close:
            for row in rows:
                row.t = int(dt.datetime.combine(day, at, tzinfo=NEW_YORK).timestamp()) * 1000
        if not assumed.fractional_volumes:
            for row in rows:
                row.v = float(round(row.v))
        return rows

    def _interval(self, call: Call) -> tuple[int, int]:
        first_ms = instant_field("from", call.parts["first"], end_of_day=False)
        last_ms = instant_field("to", call.parts["last"], end_of_day=True)
        if last_ms < first_ms:
            raise bad_request("The parameter 'to' cannot be a time that occurs before 'from'")
        self._publication.check_range(_new_york_day(first_ms), _new_york_day(last_ms))
        return first_ms, min(last_ms, self._publication.visible_until_ms())

    def _page(self, call: Call, first_ms: int, last_ms: int) -> tuple[BarColumns, str | None]:
        """One page of bars in the order asked for, and where the next one begins."""
        limit = limit_of(call.query, default=5000, most=50_000)
        limit = min(limit, self._publication.assumptions.range_minutes or limit)
        ascending = call.query.get("sort", "asc") != "desc"
        days = self._days(first_ms, last_ms)
        pieces: list[BarColumns] = []
        behind = 0
        while days and behind <= limit:
            chunk, days = _cut(days, ascending=ascending)
            bars = self._bars(call, chunk)
            inside = (bars.starts_ms >= first_ms) & (bars.starts_ms <= last_ms)
            pieces.append(bars if inside.all() else bars.take(inside))
            behind += int(pieces[-1].minutes.sum())
        bars = joined(pieces) if ascending else joined(pieces[::-1]).take(slice(None, None, -1))
        if behind <= limit:
            return bars, None
        page, following = _first_page(call, bars, limit, ascending=ascending)
        return page, None if self._publication.assumptions.cuts_silently else following

    def _bars(self, call: Call, days: Sequence[dt.date]) -> BarColumns:
        unit, multiplier = call.parts["unit"], int(call.parts["multiplier"])
        if unit == "day" and multiplier == 1:
            over = [day for day in days if self._publication.share_of(day) == 1.0]
            return self._market.day_bars(call.parts["ticker"], over)
        width = _MINUTES.get(unit, 0) * multiplier
        if width not in _WIDTHS:
            raise bad_request(f"This simulated market has no windows of {multiplier} {unit}")
        return self._market.minute_bars(call.parts["ticker"], days, width)

    def _days(self, first_ms: int, last_ms: int) -> Sequence[dt.date]:
        calendar = self._market.calendar
        # A week inside the horizon, because a day's prices start from the session before it.
        first = max(_new_york_day(first_ms), calendar.FIRST_DAY + dt.timedelta(days=7))
        last = min(_new_york_day(last_ms), calendar.LAST_DAY)
        return calendar.trading_days(first, last) if first <= last else ()


def _cut(days: Sequence[dt.date], *, ascending: bool) -> tuple[Sequence[dt.date], Sequence[dt.date]]:
    if ascending:
        return days[:_DAYS_AT_ONCE], days[_DAYS_AT_ONCE:]
    return days[-_DAYS_AT_ONCE:], days[:-_DAYS_AT_ONCE]


def _first_page(call: Call, bars: BarColumns, limit: int, *, ascending: bool) -> tuple[BarColumns, str]:
    end = max(1, int(np.searchsorted(np.cumsum(bars.minutes), limit, side="right")))
    edge = int(bars.starts_ms[end]) if end < len(bars) else int(bars.starts_ms[-1]) + (1 if ascending else -1)
    parts = call.parts
    first, last = (edge, parts["last"]) if ascending else (parts["first"], edge)
    path = f"/v2/aggs/ticker/{parts['ticker']}/range/{parts['multiplier']}/{parts['unit']}/{first}/{last}"
    return bars.take(slice(0, end)), f"{path}?cursor={cursor_for(call.query)}"


def _rows(bars: BarColumns) -> list[Bar]:
    count = len(bars)
    averages = [UNSET] * count if bars.averages is None else bars.averages.tolist()
    trades = bars.trades.tolist() if bars.trades.all() else [number or UNSET for number in bars.trades.tolist()]
    return list(
        map(
            Bar,
            bars.volumes.tolist(),
            averages,
            bars.opens.tolist(),
            bars.closes.tolist(),
            bars.highs.tolist(),
            bars.lows.tolist(),
            bars.starts_ms.tolist(),
            trades,
        )
    )


def _adjust(rows: list[GroupedRow], factors: dict[str, float]) -> None:
    for row in rows:
        if (factor := factors.get(row.T)) is not None:
            row.v = round(row.v / factor, 6)
            row.vw = UNSET if row.vw is UNSET else round(row.vw * factor, 6)
            row.o, row.c = round(row.o * factor, 6), round(row.c * factor, 6)
            row.h, row.l = round(row.h * factor, 6), round(row.l * factor, 6)


def _new_york_day(milliseconds: int) -> dt.date:
    return dt.datetime.fromtimestamp(milliseconds / 1000, tz=NEW_YORK).date()
