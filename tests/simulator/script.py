"""Says what a run of the simulation begins with: drawn from a seed, or written down for a directed schedule."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from tests.simulator import faults as fault_kinds
from tests.simulator.faults import Fault
from tests.simulator.workload import Workload, draw_workload

if TYPE_CHECKING:
    from tests.simulator.faults import Choice


# Of the seeds with a reconciler, who alone keeps a verdict from staying behind: publishing takes many steps.
PUBLISHING = 0.4


class Script(msgspec.Struct, kw_only=True):
    """*catches_up*: whether there is a reconciler, *publishes*: whether verdicts are published; *drawn*: the kinds of
    fault before any was left out; after *most_steps* a run that has not ended never will."""

    seed: int
    random: Random
    catches_up: bool
    publishes: bool = False
    workload: Workload
    faults: list[Fault] = []
    drawn: frozenset[str] = frozenset()
    most_steps: int = 6_000


def draw_script(seed: int, choice: Choice) -> Script:
    """The script of *seed*; *choice* says which of its faults are left out, or which kinds there are."""
    random = Random(seed)
    # Half of the seeds have to do without the reconciler, and then nothing may be lost in Redis.
    only = set(choice.only)
    catches_up = random.random() < 0.5 or bool((fault_kinds.NEEDS_CATCH_UP | {"find"}) & only)
    workload = draw_workload(Random(f"{seed}/workload"), may_wait=catches_up)
    parts = len(workload.parts) + 2
    drawn = fault_kinds.draw_faults(seed, parts=parts, may_lose=catches_up, only=choice.only)
    return Script(
        seed=seed, random=random, catches_up=catches_up, workload=workload,
        publishes=catches_up and Random(f"{seed}/verdicts").random() < (1.0 if "find" in only else PUBLISHING),
        faults=[fault for fault in drawn if fault.number not in choice.without],
        drawn=frozenset(fault.kind for fault in drawn),
    )  # fmt: skip
