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


class Script(msgspec.Struct, kw_only=True):
    """*catches_up*: whether there is a reconciler; *drawn*: the kinds of fault before any was left out; after
    *most_steps* a run that has not ended never will."""

    seed: int
    random: Random
    catches_up: bool
    workload: Workload
    faults: list[Fault] = []
    drawn: frozenset[str] = frozenset()
    most_steps: int = 6_000


def draw_script(seed: int, choice: Choice) -> Script:
    """The script of *seed*; *choice* says which of its faults are left out, or which kinds there are."""
    random = Random(seed)
    # Half of the seeds have to do without the reconciler, and then nothing may be lost in Redis.
    catches_up = random.random() < 0.5 or bool(fault_kinds.NEEDS_CATCH_UP & set(choice.only))
    workload = draw_workload(Random(f"{seed}/workload"), may_wait=catches_up)
    parts = len(workload.parts) + 2
    drawn = fault_kinds.draw_faults(seed, parts=parts, may_lose=catches_up, only=choice.only)
    return Script(
        seed=seed, random=random, catches_up=catches_up, workload=workload,
        faults=[fault for fault in drawn if fault.number not in choice.without],
        drawn=frozenset(fault.kind for fault in drawn),
    )  # fmt: skip
