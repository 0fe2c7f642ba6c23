"""Holds the refresh of details to its phases: nobody waits longer than the period, and nobody comes in a burst."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.postgres.details import details_due

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAY = dt.date(2025, 11, 11)
ON_ONE_DATABASE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def night_of(day: dt.date) -> dt.datetime:
    """20:30 in New York, which is the next day already in UTC."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(1, 30), tzinfo=dt.UTC)


async def list_symbols(connection: Connection, *symbols: str, at: dt.datetime, active: bool = True) -> None:
    await connection.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, $2, $3, $4, $4) "
        "ON CONFLICT (symbol) DO UPDATE SET is_active = $2, changed_at = $4",
        [(symbol, active, DAY, at) for symbol in symbols],
    )


async def attempt(connection: Connection, *symbols: str, at: dt.datetime) -> None:
    await connection.executemany(
        "INSERT INTO ticker_profile (symbol, details_attempted_at, created_at, updated_at) VALUES ($1, $2, $2, $2) "
        "ON CONFLICT (symbol) DO UPDATE SET details_attempted_at = $2",
        [(symbol, at) for symbol in symbols],
    )


async def due(
    connection: Connection, day: dt.date, *, refresh_days: int = 30, now: dt.datetime | None = None
) -> list[str]:
    return await details_due(connection, day=day, refresh_days=refresh_days, now=now or night_of(day))


@ON_ONE_DATABASE
@given(
    symbol=st.from_regex(r"[A-Z]{1,5}", fullmatch=True),
    attempted=st.dates(min_value=dt.date(2000, 1, 1), max_value=dt.date(2030, 1, 1)),
    refresh_days=st.integers(1, 365),
)
async def test_a_symbol_is_due_once_within_the_period_and_stays_due(
    connection: Connection, symbol: str, attempted: dt.date, refresh_days: int
) -> None:
    await connection.execute("TRUNCATE listed_ticker, ticker_profile")
    await list_symbols(connection, symbol, at=night_of(attempted) - dt.timedelta(hours=1))
    await attempt(connection, symbol, at=night_of(attempted))
    assert await due(connection, attempted, refresh_days=refresh_days) == []
    assert await due(connection, attempted + dt.timedelta(days=refresh_days), refresh_days=refresh_days) == [symbol]
    first = 1
    while not await due(connection, attempted + dt.timedelta(days=first), refresh_days=refresh_days):
        first += 1 + refresh_days // 20
    assert first <= refresh_days + refresh_days // 20


async def test_a_first_load_is_spread_over_the_whole_period(connection: Connection) -> None:
    symbols = [f"S{number}" for number in range(600)]
    await list_symbols(connection, *symbols, at=night_of(DAY) - dt.timedelta(hours=1))
    await attempt(connection, *symbols, at=night_of(DAY))
    comes_on: Counter[int] = Counter()
    for days in range(1, 31):
        found = await due(connection, DAY + dt.timedelta(days=days))
        comes_on[days] = len(found) - comes_on.total()
    assert comes_on.total() == 600
    assert max(comes_on.values()) < 3 * 600 / 30
    assert min(comes_on.values()) > 0


async def test_later_rounds_keep_to_the_phase_so_that_bursts_do_not_come_back(connection: Connection) -> None:
    """Nights without a run delay some symbols; the next time each is back on its own day."""
    symbols = [f"S{number}" for number in range(60)]
    await list_symbols(connection, *symbols, at=night_of(DAY) - dt.timedelta(hours=1))
    await attempt(connection, *symbols, at=night_of(DAY))
    comes_on = {}
    for days in range(1, 31):
        for symbol in await due(connection, DAY + dt.timedelta(days=days)):
            comes_on.setdefault(symbol, days)
    after_a_pause = DAY + dt.timedelta(days=40)
    await attempt(connection, *symbols, at=night_of(after_a_pause))
    found = await due(connection, after_a_pause + dt.timedelta(days=5))
    assert sorted(found) == sorted(symbol for symbol, days in comes_on.items() if (days - 41) % 30 < 5)


async def test_the_oldest_attempt_comes_first_and_never_tried_before_all(connection: Connection) -> None:
    await list_symbols(connection, "OLD", "OLDER", "NEVER", at=night_of(DAY - dt.timedelta(days=200)))
    await attempt(connection, "OLD", at=night_of(DAY - dt.timedelta(days=100)))
    await attempt(connection, "OLDER", at=night_of(DAY - dt.timedelta(days=101)))
    assert await due(connection, DAY) == ["NEVER", "OLDER", "OLD"]


async def test_inactive_symbols_and_others_than_asked_for_are_not_due(connection: Connection) -> None:
    await list_symbols(connection, "A", "B", at=night_of(DAY))
    await list_symbols(connection, "GONE", at=night_of(DAY), active=False)
    assert await due(connection, DAY) == ["A", "B"]
    assert await details_due(
        connection, day=DAY, refresh_days=30, now=night_of(DAY), symbols=["B", "GONE"]
    ) == ["B"]  # fmt: skip


async def test_a_changed_identity_makes_due(connection: Connection) -> None:
    await list_symbols(connection, "A", "B", at=night_of(DAY) - dt.timedelta(hours=1))
    await attempt(connection, "A", "B", at=night_of(DAY))
    await list_symbols(connection, "A", at=night_of(DAY) + dt.timedelta(minutes=1))
    assert await due(connection, DAY) == ["A"]


@pytest.mark.parametrize(("executed", "is_due"), [(0, False), (1, True), (2, False)])
async def test_a_split_after_the_attempt_makes_due_from_its_day_on(
    connection: Connection, executed: int, is_due: bool
) -> None:
    """Attempted on DAY and looked at one day later, in a period so long that no phase interferes."""
    await list_symbols(connection, "A", at=night_of(DAY) - dt.timedelta(hours=1))
    await attempt(connection, "A", at=night_of(DAY))
    assert await due(connection, DAY + dt.timedelta(days=1), refresh_days=365) == []
    await connection.execute(
        "INSERT INTO stock_split VALUES ('A', $1, 1, 7, 'forward_split', 1)", DAY + dt.timedelta(days=executed)
    )
    assert (await due(connection, DAY + dt.timedelta(days=1), refresh_days=365) == ["A"]) is is_due


async def test_a_cycle_for_a_day_long_past_asks_for_nothing_that_was_asked_since(connection: Connection) -> None:
    await list_symbols(connection, "A", at=night_of(DAY) - dt.timedelta(hours=1))
    await attempt(connection, "A", at=night_of(DAY))
    assert await due(connection, DAY - dt.timedelta(days=60), now=night_of(DAY)) == []
