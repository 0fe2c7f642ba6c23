"""Answers whether the market is open now, and when it will be shut in the year ahead."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, assert_never

from market.session import SessionPhase
from market.trading_calendar import NEW_YORK, TradingCalendar
from simulated_market.answer import Answer, Call

if TYPE_CHECKING:
    from simulated_market.publication import Publication

_EXCHANGES = ("NYSE", "NASDAQ", "OTC")
_SATURDAY = 5
_AHEAD = dt.timedelta(days=365)


class MarketStatus:
    """The two status addresses over one calendar and clock."""

    def __init__(self, calendar: TradingCalendar, publication: Publication) -> None:
        self._calendar = calendar
        self._publication = publication

    def now(self, call: Call) -> Answer:
        now = self._publication.now()
        phase = self._calendar.phase_at(now)
        state = _state(phase)
        return Answer(
            bare={
                "afterHours": phase is SessionPhase.POST_MARKET,
                "currencies": {"crypto": "open", "fx": "open" if now.weekday() < _SATURDAY else "closed"},
                "earlyHours": phase is SessionPhase.PRE_MARKET,
                "exchanges": {"nasdaq": state, "nyse": state, "otc": state},
                "market": state,
                "serverTime": now.astimezone(NEW_YORK).isoformat(timespec="seconds"),
            }
        )

    def upcoming(self, call: Call) -> Answer:
        first = self._publication.today()
        last = min(first + _AHEAD, self._calendar.LAST_DAY)
        days = (first + dt.timedelta(days=ahead) for ahead in range((last - first).days + 1))
        return Answer(bare=[entry for day in days for entry in self._entries(day)])

    def _entries(self, day: dt.date) -> list[dict[str, str]]:
        """One entry an exchange for a weekday without a session, or with a short one."""
        if day.weekday() >= _SATURDAY or day == self._publication.assumptions.upcoming_lacks:
            return []
        name = self._calendar.closure_name(day)
        if name is not None:
            entry = {"date": day.isoformat(), "name": name, "status": "closed"}
        elif (session := self._calendar.session(day)).early_close:
            entry = {
                "date": day.isoformat(),
                "name": "Early close",
                "status": "early-close",
                "open": f"{session.opens_at:%Y-%m-%dT%H:%M:%S.000Z}",
                "close": f"{session.closes_at:%Y-%m-%dT%H:%M:%S.000Z}",
            }
        else:
            return []
        return [{"exchange": exchange, **entry} for exchange in _EXCHANGES]


def _state(phase: SessionPhase) -> str:
    match phase:
        case SessionPhase.MARKET_OPEN:
            return "open"
        case SessionPhase.PRE_MARKET | SessionPhase.POST_MARKET:
            return "extended-hours"
        case SessionPhase.CLOSED:
            return "closed"
        case _:
            assert_never(phase)
