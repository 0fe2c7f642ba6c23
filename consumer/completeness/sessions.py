"""Reads from the ledger, for every (data set, session), what was expected, loaded, proven empty, missing and set aside.

Daily bars are fetched a session at once: there the expectation is what the sessions around it have. Volume slots are
fetched a symbol at once: there every active symbol is expected, and each has an outcome of its own.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.tasks import data_sets
from market.row_counts import fewest_on
from market.schedule import Schedule, final_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Pool

UNPROVEN_TOLERATED = 0.01


class State(StrEnum):
    """How a session stands; all but the first two are gaps."""

    FINAL = "final"
    EARLY = "provisional"  # fetched before its session was final, and that instant is still to come
    OUTDATED = "outdated"  # fetched before its session was final, or not again since when it should have been
    SHORT = "short"
    UNPROVEN = "unproven"
    INCOMPLETE = "incomplete"
    MISSING = "missing"


class SessionCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One data set on one session; counts are rows, of slots (session, symbol) pairs.

    `expected` of bars is what there is, or the least that the sessions around it make believable if that is more.
    """

    data_set: str
    trading_day: dt.date
    state: State
    expected: int
    loaded: int
    empty: int = 0  # asked for, and proven that nobody traded
    unproven: int = 0
    missing: int = 0
    set_aside: int = 0
    restated: int = 0
    source: str | None = None
    request_id: str | None = None
    fetched_at: dt.datetime | None = None
    fence: int | None = None
    cycle: int | None = None

    @property
    def is_gap(self) -> bool:
        return self.state not in (State.FINAL, State.EARLY)


class Ruler(msgspec.Struct, frozen=True, kw_only=True):
    """By what sessions are measured: the schedule, how often a session is fetched again, and the present instant."""

    schedule: Schedule
    restate: int
    now: dt.datetime


async def read_sessions(pool: Pool, ruler: Ruler, first: dt.date, last: dt.date) -> list[SessionCoverage]:
    """Return the coverage of bars and slots for every session from *first* to *last*, newest first."""
    days = ruler.schedule.calendar.trading_days(first, last)
    if not days:
        return []
    found = [*await read_bars(pool, ruler, days), *await read_slots(pool, ruler, days)]
    return sorted(found, key=lambda one: (one.trading_day, one.data_set), reverse=True)


async def read_bars(pool: Pool, ruler: Ruler, days: Sequence[dt.date]) -> list[SessionCoverage]:
    """Return the coverage of daily bars on *days*."""
    rows = await pool.fetch(
        """
        SELECT c.trading_day, c.row_count, c.fetched_at, c.detail, l.source, l.request_id, l.fence, l.cycle_id,
               (SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(l.rejected)) AS set_aside
        FROM coverage AS c LEFT JOIN data_load AS l USING (load_id)
        WHERE c.data_set = $1 ORDER BY c.trading_day
        """,
        data_sets.DAILY_BARS,
    )
    known = {row["trading_day"]: dict(row) for row in rows}
    counts = {day: row["row_count"] for day, row in known.items()}
    return [_bars(day, known.get(day), counts, ruler) for day in days]


def _bars(day: dt.date, row: dict[str, Any] | None, counts: dict[dt.date, int], ruler: Ruler) -> SessionCoverage:
    early_close = ruler.schedule.calendar.session(day).early_close
    fewest = fewest_on(day, counts, early_close=early_close)
    if row is None:
        return SessionCoverage(
            data_set=data_sets.DAILY_BARS, trading_day=day, state=State.MISSING, expected=fewest, loaded=0,
            missing=fewest,
        )  # fmt: skip
    loaded = row["row_count"]
    state = _freshness(day, row["fetched_at"], ruler)
    if loaded < fewest and not row["detail"].get("accepted_short"):
        state = State.SHORT
    return SessionCoverage(
        data_set=data_sets.DAILY_BARS, trading_day=day, state=state, expected=max(fewest, loaded), loaded=loaded,
        missing=max(0, fewest - loaded), set_aside=row["set_aside"] or 0, restated=row["detail"].get("restated", 0),
        source=row["source"], request_id=row["request_id"], fetched_at=row["fetched_at"], fence=row["fence"],
        cycle=row["cycle_id"],
    )  # fmt: skip


def _freshness(day: dt.date, fetched_at: dt.datetime, ruler: Ruler) -> State:
    if fetched_at < ruler.schedule.settled_since(day, ruler.now, restate=ruler.restate):
        return State.OUTDATED
    return State.FINAL if fetched_at >= final_at(ruler.schedule.calendar.session(day)) else State.EARLY


async def read_slots(pool: Pool, ruler: Ruler, days: Sequence[dt.date]) -> list[SessionCoverage]:
    """Return the coverage of volume slots on *days*; every active symbol is expected, from its issuer's first on."""
    since = [ruler.schedule.settled_since(day, ruler.now, restate=ruler.restate) for day in days]
    rows = await pool.fetch(
        """
        SELECT w.day, count(*) AS expected, count(s.symbol) AS there,
               count(*) FILTER (WHERE s.outcome = 'traded') AS traded,
               count(*) FILTER (WHERE s.outcome = 'no_trades') AS empty,
               count(*) FILTER (WHERE s.outcome = 'unproven') AS unproven,
               count(*) FILTER (WHERE s.fetched_at < w.since) AS outdated,
               min(s.fetched_at) AS oldest, max(s.load_id) AS load_id
        FROM unnest($1::date[], $2::timestamptz[]) AS w (day, since)
        CROSS JOIN ticker_universe AS u
        LEFT JOIN volume_slots_daily AS s ON s.trading_date = w.day AND s.symbol = u.symbol
        WHERE u.is_active AND w.day >= coalesce(u.issuer_since, '-infinity')
        GROUP BY w.day
        """,
        list(days), since,
    )  # fmt: skip
    loads = await pool.fetch(
        "SELECT load_id, source, request_id, fence, cycle_id FROM data_load WHERE load_id = ANY ($1)",
        [row["load_id"] for row in rows if row["load_id"] is not None],
    )
    by_load = {load["load_id"]: dict(load) for load in loads}
    restated = {
        row["trading_day"]: row["rows"]
        for row in await pool.fetch(
            "SELECT trading_day, count(*) AS rows FROM restatement WHERE data_set = $1 GROUP BY 1",
            data_sets.VOLUME_SLOTS,
        )
    }
    found = [_slots(dict(row), by_load.get(row["load_id"], {}), restated.get(row["day"], 0), ruler) for row in rows]
    empty = set(days) - {one.trading_day for one in found}  # without a universe nothing can be expected, or proven
    return found + [
        SessionCoverage(
            data_set=data_sets.VOLUME_SLOTS, trading_day=day, state=State.MISSING, expected=0, loaded=0
        )
        for day in empty
    ]  # fmt: skip


def _slots(row: dict[str, Any], load: dict[str, Any], restated: int, ruler: Ruler) -> SessionCoverage:
    missing = row["expected"] - row["there"]
    if row["there"] == 0:
        state = State.MISSING
    elif missing:
        state = State.INCOMPLETE
    elif row["outdated"]:
        state = State.OUTDATED
    elif row["unproven"] > UNPROVEN_TOLERATED * row["expected"]:
        state = State.UNPROVEN
    else:
        state = _freshness(row["day"], row["oldest"], ruler)
    return SessionCoverage(
        data_set=data_sets.VOLUME_SLOTS, trading_day=row["day"], state=state, expected=row["expected"],
        loaded=row["traded"], empty=row["empty"], unproven=row["unproven"], missing=missing, restated=restated,
        source=load.get("source"), request_id=load.get("request_id"), fetched_at=row["oldest"],
        fence=load.get("fence"), cycle=load.get("cycle_id"),
    )  # fmt: skip


async def first_sessions(pool: Pool, ruler: Ruler, last: dt.date, *, bars: int, slots: int) -> dict[str, dt.date]:
    """Return per data set where its history begins: the window's first session, or the oldest one there is."""
    oldest = {
        data_sets.DAILY_BARS: await pool.fetchval(
            "SELECT min(trading_day) FROM coverage WHERE data_set = $1", data_sets.DAILY_BARS
        ),
        data_sets.VOLUME_SLOTS: await pool.fetchval("SELECT min(trading_date) FROM volume_slots_daily"),
    }
    calendar = ruler.schedule.calendar
    windows = {data_sets.DAILY_BARS: bars, data_sets.VOLUME_SLOTS: slots}
    starts = {name: calendar.last_trading_days(count, up_to=last)[0] for name, count in windows.items()}
    return {name: min(start, oldest[name] or start) for name, start in starts.items()}
