"""Counts what was asked, so that a test can say what was not asked twice.

Every request is counted, refused ones too; the simulator's own addresses are not.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulated_market.answer import Call

_MOST_PATHS = 200_000


class RequestLog:
    """Counters by endpoint, path, ticker, day and status; past the bound, new paths count as "other"."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts again from nothing."""
        self.total = 0
        self.by_endpoint: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.by_ticker: Counter[str] = Counter()
        self.by_day: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.disturbed = 0

    def struck(self) -> None:
        """Counts a request that a fault was laid for."""
        self.disturbed += 1

    def asked(self, call: Call) -> None:
        """Counts a request on arrival."""
        self.total += 1
        self.by_endpoint[call.endpoint] += 1
        self.by_path[self._bounded(call.path, self.by_path)] += 1
        if (ticker := call.parts.get("ticker")) is not None:
            self.by_ticker[self._bounded(ticker, self.by_ticker)] += 1
        if (day := call.parts.get("day")) is not None:
            self.by_day[day] += 1

    def answered(self, http_status: int) -> None:
        """Counts an answer; a dropped connection has none."""
        self.by_status[http_status] += 1

    def as_json(self) -> dict[str, object]:
        """Everything counted since the last reset."""
        return {
            "total": self.total,
            "by_endpoint": self.by_endpoint,
            "by_path": self.by_path,
            "by_ticker": self.by_ticker,
            "by_day": self.by_day,
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "disturbed": self.disturbed,
        }

    @staticmethod
    def _bounded(name: str, counter: Counter[str]) -> str:
        return name if name in counter or len(counter) < _MOST_PATHS else "other"
