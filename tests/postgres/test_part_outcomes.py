"""How parts failed is read from its class: a reason is for people, and may say anything."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import cycle_changes, ledger, part_outcomes
from consumer.postgres.cycle_changes import Request
from consumer.postgres.ledger import PartEnd, PartId, PartPlan
from consumer.postgres.states import PartState
from contract.failures import FailureClass

if TYPE_CHECKING:
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Pool

NOW = dt.datetime(2025, 11, 11, 22, 0, tzinfo=dt.UTC)
REQUEST = Request(
    trading_day=dt.date(2025, 11, 11), occasion="test", scheduled=True, due_at=NOW, requested_by="test",
    tasks=("volume_slots",), force=False, give_up_at=NOW,
)  # fmt: skip
MISLEADING = "tickers: BadAnswer: KeyRejected: 429 Too Many Requests"


@pytest.fixture
async def cycle(pool: Pool) -> Cycle:
    async with pool.acquire() as connection, connection.transaction():
        return await cycle_changes.insert_cycle(connection, REQUEST, NOW)


async def fail(pool: Pool, cycle: Cycle, name: str, failed_as: FailureClass | None, reason: str | None) -> None:
    part = PartId(cycle_id=cycle.cycle_id, task="volume_slots", part=name)
    plan = PartPlan(task=part.task, part=name, stage="volume_slots/slots")
    end = PartEnd(state=PartState.FAILED, at=NOW, failure_class=failed_as, reason=reason)
    async with pool.acquire() as connection, connection.transaction():
        await ledger.insert_parts(connection, cycle.cycle_id, 1, [plan])
        await ledger.end_part(connection, part, end)


@pytest.mark.parametrize("failed_as", [*FailureClass, None])
async def test_the_vendor_is_away_by_the_class_of_a_failure_whatever_its_reason_says(
    pool: Pool, cycle: Cycle, failed_as: FailureClass | None
) -> None:
    await fail(pool, cycle, "batch:1", failed_as, MISLEADING)
    await fail(pool, cycle, "file:2025-11-11", failed_as, MISLEADING)
    away = failed_as is not None and failed_as.means_the_vendor_is_away
    assert await part_outcomes.gave_up_on_vendor(pool, cycle, but_kinds=["file"]) == int(away)


async def test_a_class_that_a_newer_release_wrote_is_a_failure_that_nobody_knows(pool: Pool, cycle: Cycle) -> None:
    await fail(pool, cycle, "batch:1", FailureClass.UNAVAILABLE, None)
    await fail(pool, cycle, "batch:2", None, "of before there were classes")
    await pool.execute("UPDATE part SET failure_class = 'of_next_year' WHERE part = 'batch:1'")
    ended = await part_outcomes.ended_parts(pool, cycle, but_stage="cycle/finish")
    assert [part.failure_class for part in ended] == [FailureClass.UNKNOWN, None]
