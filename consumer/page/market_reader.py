"""Reads the market-wide figures of the newest sessions: of each once a load, not at each look."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, TypeAlias

from consumer.page.market import TRAILING, Known, MarketDay, market_days
from consumer.postgres import findings
from consumer.postgres.market_figures import MarketFigures, StoredSession, read_market_figures, stored_sessions
from contract import data_sets

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.web.monitor import Monitor

SESSIONS_SHOWN = 10
#: What somebody changes by hand, without a load, is seen after this time.
KEPT_FOR = dt.timedelta(hours=1)

_Read: TypeAlias = "tuple[StoredSession, StoredSession | None]"


class MarketReader:
    """The figures of one process, by session, with the loads they are of."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._kept: dict[dt.date, tuple[_Read, MarketFigures]] = {}
        self._since: dt.datetime | None = None

    async def days(self) -> list[MarketDay]:
        """Return the newest completed sessions, newest first; asked by one at a time."""
        calendar, now = self._monitor.calendar, self._monitor.now()
        if self._since is None or now - self._since > KEPT_FOR:
            self._kept, self._since = {}, now
        # Two more than are measured by: the closes of the oldest are held against one that stands whole.
        all_days = calendar.last_trading_days(SESSIONS_SHOWN + TRAILING + 2, up_to=calendar.last_completed(now))
        async with self._monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            stored = await stored_sessions(connection, all_days)
            suspect = await findings.suspect_days(connection, data_sets.DAILY_BARS, all_days[0], all_days[-1])
            for before, day in itertools.pairwise(all_days):
                await self._read(connection, day, before, stored)
        self._kept = {day: kept for day, kept in self._kept.items() if day in stored}
        known = Known(
            calendar=calendar,
            figures={day: figures for day, (_, figures) in self._kept.items()},
            expected={day: one.rows for day, one in stored.items()},
            suspect=frozenset(suspect),
        )
        return market_days(all_days[-SESSIONS_SHOWN:], known)

    async def _read(
        self, connection: Connection, day: dt.date, before: dt.date, stored: dict[dt.date, StoredSession]
    ) -> None:
        if day not in stored:
            return
        wanted = (stored[day], stored.get(before))
        kept = self._kept.get(day)
        if kept is None or kept[0] != wanted:
            self._kept[day] = (wanted, await read_market_figures(connection, day, before=before))
