"""Answers with the whole market as it stands: today so far, the newest minute, the volume accumulated, the day before.

Empty from 03:30 New York time until the first minutes arrive, after that the session's last state until it is cleared.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from market.trading_calendar import NEW_YORK
from simulated_market.answer import Answer, Call
from simulated_market.options import Plan
from simulated_market.vendor_errors import not_entitled
from simulated_market.wire_rows import SnapshotBar, SnapshotRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulated_market.bar_columns import BarColumns
    from simulated_market.market_source import MarketSource
    from simulated_market.publication import Publication
    from simulated_market.wire_rows import TickerRow

_CLEARED_AT = dt.time(3, 30)
_MINUTE_MS = 60_000


class Snapshot:
    """The one address of the whole market over one market and clock."""

    def __init__(self, market: MarketSource, publication: Publication) -> None:
        self._market = market
        self._publication = publication

    def whole_market(self, call: Call) -> Answer:
        assumed = self._publication.assumptions
        if self._publication.plan is Plan.FREE and not assumed.snapshot_on_free:
            raise not_entitled()
        wanted = set(call.query["tickers"].split(",")) if call.query.get("tickers") else None
        listed = self._market.active(self._publication.today())
        rows = list(self._rows([row for row in listed if wanted is None or row.ticker in wanted]))
        status = "DELAYED" if assumed.delay else "OK"
        return Answer(bare={"count": len(rows), "request_id": call.request_id, "status": status, "tickers": rows})

    def _rows(self, listed: list[TickerRow]) -> Iterator[SnapshotRow]:
        day = self._shown()
        silent = round(len(listed) * self._publication.assumptions.silent_minutes)
        for place, row in enumerate(listed):
            bars = None if day is None or place < silent else self._bars(row.ticker, day)
            yield self._row(row.ticker, bars)

    def _bars(self, ticker: str, day: dt.date) -> BarColumns:
        bars = self._market.minute_bars(ticker, [day], 1)
        return bars.take(bars.starts_ms + _MINUTE_MS <= self._publication.visible_until_ms())

    def _shown(self) -> dt.date | None:
        """The day whose state is shown; None while it is cleared."""
        now = self._publication.now().astimezone(NEW_YORK)
        day = now.date() if now.time() >= _CLEARED_AT else now.date() - dt.timedelta(days=1)
        return day if self._market.calendar.is_trading_day(day) else None

    def _row(self, ticker: str, bars: BarColumns | None) -> SnapshotRow:
        empty = SnapshotBar(o=0, h=0, l=0, c=0, v=0, vw=0)
        minute, day = SnapshotBar(o=0, h=0, l=0, c=0, v=0, vw=0, av=0, t=0, n=0), empty
        if bars is not None and len(bars):
            counted = float(bars.volumes.sum()) * self._publication.assumptions.accumulated_over_bars
            day, minute = _bar(bars), _bar(bars.take(slice(-1, None)))
            minute.av, minute.t, minute.n = round(counted, 6), int(bars.starts_ms[-1]), int(bars.trades[-1])
        changed = day.c - day.o
        return SnapshotRow(
            ticker=ticker,
            todays_change=changed,
            todays_change_perc=100 * changed / day.o if day.o else 0.0,
            updated=(int(minute.t) + _MINUTE_MS) * 1_000_000 if minute.t else 0,
            day=day,
            min=minute,
            prev_day=empty,
        )


def _bar(bars: BarColumns) -> SnapshotBar:
    volume = float(bars.volumes.sum())
    closes = bars.closes if bars.averages is None else bars.averages
    return SnapshotBar(
        o=float(bars.opens[0]),
        h=float(bars.highs.max()),
        l=float(bars.lows.min()),
        c=float(bars.closes[-1]),
        v=volume,
        vw=float((closes * bars.volumes).sum() / volume) if volume else 0.0,
    )
