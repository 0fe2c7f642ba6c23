"""Plays schedules that are written down: who goes on, up to which step, and what befalls it there.

Steps are named, not numbered: a schedule says the same however many round trips lie between two of them, and one that
does not come to its point fails. What it leaves open goes on by itself, without another fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.messages import work_key
from consumer.maintenance_channel import task_stream
from contract import keys
from tests.simulator.gates import Phase
from tests.simulator.message_faults import RULE_MESSAGE
from tests.simulator.script import Script
from tests.simulator.virtual_worker import LEASE
from tests.simulator.workload import PartScript, Workload

if TYPE_CHECKING:
    from consumer.delivery.entries import Outgoing
    from tests.simulator.gates import Actor, Step
    from tests.simulator.simulation import Simulation
    from tests.simulator.virtual_worker import VirtualWorker

MOST_MOVES = 600
LONG = 10**9  # steps: until it is let go

TWO_PARTS = Workload(
    first=(
        PartScript(task="ohlc_daily", name="rows:0", stage="simulated/bars"),
        PartScript(task="ohlc_daily", name="rows:1", stage="simulated/bars"),
        PartScript(task="ohlc_daily", name="follow", stage="simulated/follow", needs=("simulated/bars",)),
    ),
    added=(),
)


class NeverReached(AssertionError):
    """The schedule is not about what it was written for any more: write it anew."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """*directions* are followed; *catches_up*: whether the processes have a reconciler."""

    directions: Callable[[Director], Awaitable[None]]
    catches_up: bool = False
    workload: Workload = TWO_PARTS

    def script(self) -> Script:
        return Script(
            seed=0, random=Random(0), catches_up=self.catches_up, workload=self.workload, most_steps=1_000
        )  # fmt: skip


class Director:
    """Tells the processes of one run what to do."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.stage = simulation.stage

    async def worker(self, *, slots: int = 1) -> VirtualWorker:
        return await self.stage.add_worker(slots=slots)

    async def send(self, *messages: Outgoing) -> None:
        """As the session event, or the reconciler, sends: what is under way already is not sent again."""
        await task_stream(self.stage.redis, self.stage.redis, consumer="events", lease=LEASE).enqueue(messages)
        self.stage.watch.look()

    async def send_rule(self) -> None:
        await self.send(RULE_MESSAGE)

    async def ask(self, **fields: str) -> None:
        """As a person does: XADD."""
        await self.stage.redis.xadd(keys.TASKS.name, dict(fields))
        self.stage.watch.look()

    async def let(self, actor: Actor, until: str, *, of: str = "") -> Step:
        """Let *actor* alone go on until it is about to do a step called *until*, about *of*; return that step."""
        for _ in range(MOST_MOVES):
            steps = [step for step in actor.steps if step.phase is not Phase.UNDER_WAY and step.not_before < LONG]
            for step in steps:
                if step.phase is Phase.WAITING and step.name.startswith(until) and of in step.detail:
                    return step
            if steps:
                await self.do(min(steps, key=lambda step: step.is_poll))
            elif (wait := self.stage.world.loop.next_timer_in()) is not None:
                await self.stage.advance(wait + 0.001)
            else:
                break
        waiting = ", ".join(f"{step.name} {step.detail}" for step in actor.steps)
        raise NeverReached(f"{actor.name} never came to '{until} {of}'; it is at: {waiting or 'nothing'}")

    async def do(self, step: Step) -> None:
        """One round trip, unless it has to wait for a lock."""
        self.stage.number += not step.is_poll
        await self.stage.perform(step)
        if step.phase is Phase.ANSWERED:
            self.stage.deliver(step)
        await self.stage.come_to_rest()

    async def through(self, actor: Actor, until: str, *, of: str = "") -> Step:
        """Let *actor* go on until it has done that step as well."""
        step = await self.let(actor, until, of=of)
        await self.do(step)
        return step

    def hold(self, step: Step) -> None:
        """Keep *step* where it is, while its process goes on."""
        step.not_before = LONG

    async def waits_for_a_lock(self, step: Step) -> None:
        await self.do(step)
        if step.phase is not Phase.UNDER_WAY:
            raise NeverReached(f"{step.name} waits for nobody's lock")

    async def crash(self, worker: VirtualWorker) -> None:
        """SIGKILL; its leases run out."""
        await self.stage.crash(worker)
        await self.stage.expire(worker)

    async def freeze(self, worker: VirtualWorker) -> None:
        """SIGSTOP; its leases run out."""
        self.stage.freeze(worker)
        await self.stage.expire(worker)

    async def befall(self, kind: str) -> None:
        """A fault of the simulator's own that aims at no process."""
        await self._simulation.let_happen(kind, Random(0), None)

    async def write_again(self, key: str) -> None:
        """The message of this work comes once more, past every check."""
        known = [fields for fields in self.stage.watch.messages if work_key(fields) == key]
        if not known:
            raise NeverReached(f"no message of {key} was ever seen")
        await self.ask(**known[0])

    async def to_the_end(self) -> None:
        """Everything else goes on by itself. Raises Violation."""
        await self._simulation.go_on_to_the_end()
