"""Says when the plan behind the key brings what: some plans give a day after midnight, some slots only as files.

Pure. What a plan can do is learned from its own refusals and answers, kept in the ledger (`vendor_capability`), and
corrected by later ones; the request budget is the operator's.
"""

from __future__ import annotations

import datetime as dt
import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.session import TradingSession


class Capability(StrEnum):
    """What plans differ in, for us; each is taken for given until the vendor says otherwise."""

    SAME_DAY = "same_day"  # a day's data on its own evening
    RANGE_BARS = "range_bars"  # a ticker's intraday bars
    FLOATS = "floats"
    TICKER_DETAILS = "ticker_details"
    SPLITS = "splits"
    DIVIDENDS = "dividends"


#: A plan that does not give a day on its evening gives it after midnight, New York time; some minutes more.
PAST_MIDNIGHT = dt.timedelta(minutes=5)
#: A session's flat file is out about 11:00 the next day; an hour more, since that is approximate.
FILES_OUT_AT = dt.time(12, 0)
#: Work of the night that takes no longer than this by the budget is no reason to expect data later.
QUICK = dt.timedelta(minutes=10)
#: Tries that have to be made again, and the other work of the night.
MARGIN = 1.25


class VendorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan gives. *requests_per_second* None is no limit; *slot_files*: flat files are configured."""

    requests_per_second: float | None = None
    slot_files: bool = False
    without: frozenset[Capability] = frozenset()

    def has(self, capability: Capability) -> bool:
        return capability not in self.without

    @property
    def slots_by_file_only(self) -> bool:
        return self.slot_files and not self.has(Capability.RANGE_BARS)

    @property
    def brings_slots(self) -> bool:
        return self.slot_files or self.has(Capability.RANGE_BARS)

    def published_at(self, session: TradingSession) -> dt.datetime:
        """From when on the session's data can be had: its close, or past midnight New York time."""
        if self.has(Capability.SAME_DAY):
            return session.closes_at
        midnight = dt.datetime.combine(session.day + dt.timedelta(days=1), dt.time(), NEW_YORK)
        return midnight.astimezone(dt.UTC) + PAST_MIDNIGHT

    def file_out_at(self, session: TradingSession) -> dt.datetime:
        """From when on the session's flat file is expected."""
        return dt.datetime.combine(session.day + dt.timedelta(days=1), FILES_OUT_AT, NEW_YORK).astimezone(dt.UTC)

    def time_for(self, requests: int) -> dt.timedelta:
        """How long *requests* take by the budget, with a margin."""
        if self.requests_per_second is None:
            return dt.timedelta(0)
        return dt.timedelta(seconds=MARGIN * requests / self.requests_per_second)

    def nights_for(self, requests: int, night: dt.timedelta) -> int:
        """How many nights of that length *requests* take; 0 where they are quick."""
        work = self.time_for(requests)
        return 0 if work <= QUICK else math.ceil(work / night)


def plan_of(capabilities: Mapping[str, bool], *, requests_per_second: float | None, slot_files: bool) -> VendorPlan:
    """Return the plan that the ledger's *capabilities* and the settings describe; unknown names are ignored."""
    known = {capability.value for capability in Capability}
    without = frozenset(Capability(name) for name, given in capabilities.items() if name in known and not given)
    return VendorPlan(requests_per_second=requests_per_second, slot_files=slot_files, without=without)
