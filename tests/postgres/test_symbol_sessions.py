"""What the sessions hold of one symbol is bounded by its listing, as the tables have it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.completeness.sessions import Span
from consumer.completeness.symbol_sessions import sessions_of_symbol
from consumer.verdict.ruler import Expectations
from tests.cycle.stack import SCHEDULE

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool
    from market.schedule import Schedule

NOW = dt.datetime(2025, 11, 11, 17, tzinfo=dt.UTC)
MONDAY, WEDNESDAY, FRIDAY = dt.date(2025, 11, 3), dt.date(2025, 11, 5), dt.date(2025, 11, 7)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Somebody who looks at a noon when none of the week's sessions was ever fetched."""

    pool: Pool
    schedule: Schedule
    expectations: Expectations
    now: dt.datetime = NOW


async def test_a_symbol_that_left_lacks_no_session_after_its_last_listing_and_a_listed_one_all(
    pool: Pool, connection: Connection
) -> None:
    for symbol, is_active in (("LEFT", False), ("HERE", True)):
        await connection.execute(
            "INSERT INTO listed_ticker (symbol, is_active, state, last_seen, added_at, changed_at) "
            "VALUES ($1, $2, CASE WHEN $2 THEN 'listed' ELSE 'delisted' END, $3, $4, $4)",
            symbol,
            is_active,
            WEDNESDAY,
            NOW,
        )
    look = Look(pool=pool, schedule=SCHEDULE, expectations=Expectations(schedule=SCHEDULE))
    lacking = {
        symbol: {one.trading_day for one in await sessions_of_symbol(look, Span(first=MONDAY, last=FRIDAY), symbol)}
        for symbol in ("LEFT", "HERE")
    }
    assert (max(lacking["LEFT"]), len(lacking["LEFT"])) == (WEDNESDAY, 3)
    assert (max(lacking["HERE"]), len(lacking["HERE"])) == (FRIDAY, 5)
