"""What is found against a session's data while they are worked on, and settled again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import findings
from consumer.postgres.findings import Report, Settled, State
from contract import data_sets as sets
from market.findings import Finding, Kind
from tests.simulator.virtual_worker import DAY

if TYPE_CHECKING:
    from random import Random

    from tests.simulator.gates import Step
    from tests.simulator.stage import Stage


async def find(stage: Stage, random: Random, step: Step | None) -> None:
    """Somebody finds something against the day's bars: now, to be settled perhaps, or once all is done and told."""
    kind, settled_after = random.choice(list(Kind)), random.choice((0, random.randint(1, 80)))

    async def open_it() -> int:
        found = Finding(kind=kind, reason="something was found", symbols=("A",), evidence={})
        return await findings.report(
            stage.monitor, sets.DAILY_BARS, DAY, Report(finding=found, load_id=0, now=stage.world.now())
        )

    async def settle(number: int) -> None:
        settled = Settled(state=State.ACCEPTED, by="a person", reason="it is so")
        await findings.settle(stage.monitor, [number], settled, now=stage.world.now())

    if random.random() < 0.5:
        stage.when_done.append(open_it)
        return
    number = await open_it()
    if settled_after:
        stage.follow_up(settled_after, "the finding is settled", lambda: settle(number))
