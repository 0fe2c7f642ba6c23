"""Caches outlive the market's closures: a TTL is garbage collection, never freshness."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from contract import keys
from market.trading_calendar import TradingCalendar

A_WEEK_OF_OURS = dt.timedelta(days=6)


def test_caches_outlive_every_closure_of_thirty_years_and_a_week_of_ours() -> None:
    calendar = TradingCalendar()
    days = calendar.trading_days(calendar.FIRST_DAY, calendar.LAST_DAY)
    longest = max(after - before for before, after in pairwise(days))
    assert longest == dt.timedelta(days=7), "September 2001"
    expiring = [
        key for key in keys.KEYS if key.ttl is not None and key.pattern.split(":")[0] in ("metadata", "atr", "rvol")
    ]
    assert len(expiring) == 4
    for key in expiring:
        assert key.ttl is not None
        assert key.ttl > longest + A_WEEK_OF_OURS
