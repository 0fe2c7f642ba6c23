"""What the plan behind the key gives is learned, kept, doubted on one day and believed on the next, and shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.checks.finding import Level
from consumer.checks.vendor_plan import check_plan
from consumer.postgres.capabilities import is_lacking, note_given, note_refused
from tests.postgres.conftest import pool

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

__all__ = ["pool"]
MONDAY = dt.datetime(2025, 11, 10, 23, 0, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


async def told(pool: Pool) -> list[tuple[Level, str]]:
    return [(one.level, one.seen) for one in await check_plan(pool)]


async def test_what_was_never_given_is_believed_to_be_lacking_at_the_first_refusal(pool: Pool) -> None:
    assert await told(pool) == [(Level.OK, "nothing learned yet: the first cycle shows what it gives")]
    assert await note_refused(pool, "floats", evidence="no floats on your plan", now=MONDAY)
    assert await is_lacking(pool, "floats")
    assert not await note_refused(pool, "floats", evidence="still none", now=MONDAY + DAY), "told once"
    assert await told(pool) == [(Level.OK, "no floats (since 2025-11-10; the vendor said: no floats on your plan)")]
    assert await note_given(pool, "floats", evidence="5000 floats", now=MONDAY + 2 * DAY), "the plan was changed"
    assert await told(pool) == [(Level.OK, "gives floats")]


async def test_what_was_given_is_believed_to_be_lacking_after_refusals_on_two_days(pool: Pool) -> None:
    assert await note_given(pool, "range_bars", evidence="loaded", now=MONDAY)
    assert not await note_given(pool, "range_bars", evidence="loaded", now=MONDAY + HOUR)
    for minutes in (61, 62, 63):
        at = MONDAY + dt.timedelta(minutes=minutes)
        assert not await note_refused(pool, "range_bars", evidence="403", now=at)
    assert not await is_lacking(pool, "range_bars")
    assert (Level.WARNING, "range_bars refused since 2025-11-11 00:01 UTC, given before") in await told(pool)
    assert await note_refused(pool, "range_bars", evidence="403", now=MONDAY + DAY)
    assert await is_lacking(pool, "range_bars")


async def test_an_answer_between_two_refusals_clears_the_doubt(pool: Pool) -> None:
    await note_given(pool, "splits", evidence="loaded", now=MONDAY)
    await note_refused(pool, "splits", evidence="403", now=MONDAY + HOUR)
    assert not await note_given(pool, "splits", evidence="loaded", now=MONDAY + 2 * HOUR)
    assert not await note_refused(pool, "splits", evidence="403", now=MONDAY + DAY)
    assert not await is_lacking(pool, "splits")
