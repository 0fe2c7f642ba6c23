"""Gives whoever only reads what a part of a cycle is given, as if a cycle had been opened now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId
from consumer.tasks.part import PartContext
from contract.messages import ALL_TASKS
from contract.reports import CycleState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.tasks.part import Services

_EVERY_TASK = tuple(task.value for task in ALL_TASKS)


def reading_context(
    services: Services, day: dt.date, *, first_day: dt.date | None = None, tasks: Sequence[str] = _EVERY_TASK
) -> PartContext:
    """A context for *day* at the services' present instant; no ledger has its cycle."""
    at = services.now()
    cycle = Cycle(
        cycle_id=0,
        trading_day=day,
        occasion="forecast",
        scheduled=False,
        due_at=at,
        requested_by="forecast",
        tasks=tuple(tasks),
        force=False,
        state=CycleState.RUNNING,
        run_pass=1,
        opened_at=at,
        pass_started_at=at,
        give_up_at=at,
        first_day=first_day,
    )
    return PartContext(services, cycle, PartId(cycle_id=0, task="cycle", part="forecast"), {}, 0)
