"""Begins a pass: its first part plans what is missing, and spawns what brings it and what judges the pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.cycle.plan import missing_parts
from consumer.cycle.retention import parts_of_retention
from consumer.cycle.what_stands import read_situation
from consumer.postgres.ledger import PartPlan, PartReport
from consumer.tasks import slot_files
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

FINISH_STAGE = "cycle/finish"
#: Runs when nothing else of the pass is open any more.
FINISH = PartPlan(task=TaskName.CYCLE, part="finish", stage=FINISH_STAGE, needs=("*",))


async def plan_cycle(ctx: PartContext) -> Write:
    """The first part of every pass."""
    situation = await read_situation(ctx)
    parts = [*missing_parts(situation), *parts_of_retention(situation)]
    slot_files.tell(situation.files)

    async def write(connection: Connection) -> PartReport:
        return PartReport(spawned=(*parts, FINISH), warnings=situation.files.warnings)

    return write
