"""Plays one run: decides which process makes its next round trip, has exactly that one performed, and checks.

Everything that is decided here comes from the script; the servers are real, and asked one thing at a time.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from consumer.cycle.catch_up import AT_MOST_EVERY_S, EVERY
from consumer.maintenance_channel import task_stream
from tests.simulator import faults as fault_kinds
from tests.simulator.final_checks import check_end
from tests.simulator.gates import Actor, Phase, Step
from tests.simulator.message_faults import RULE_MESSAGE
from tests.simulator.publishing import SimulatedJudge
from tests.simulator.redis_state import Violation
from tests.simulator.stage import Stage
from tests.simulator.virtual_time import NeverQuiet
from tests.simulator.virtual_worker import FAR_FUTURE, LEASE, VirtualWorker
from tests.simulator.workload import Handlers

if TYPE_CHECKING:
    from tests.simulator.agenda import FollowUp
    from tests.simulator.faults import Fault
    from tests.simulator.gated_postgres import Session
    from tests.simulator.script import Script
    from tests.simulator.virtual_worker import World

ROUNDS_OF_CATCH_UP = 12
BEAT = 0.1
POLL, POLL_IN_VAIN = 3.0, 0.04


class Simulation:
    """One run of *script*."""

    def __init__(self, world: World, monitor: Session, script: Script) -> None:
        self.random = script.random
        self.workload = script.workload
        self.kinds = set(script.drawn)
        self.faults = script.faults
        self.stage = Stage(
            world, monitor, self.random, catches_up=script.catches_up, publishes=script.publishes
        )  # fmt: skip
        self.judge = SimulatedJudge(script.workload)
        self.handlers = Handlers(self.workload, on_run=self.stage.watch.note_run)
        self.lost_something = False
        self._most_steps = script.most_steps
        self._steps = 0
        self._rounds = 0
        self._looked_at_the_end = not script.publishes

    async def play(self) -> None:
        """Run to the end. Raises Violation."""
        try:
            await self._begin()
            await self.go_on_to_the_end()
        except NeverQuiet as hot:
            raise Violation(str(hot)) from hot
        finally:
            await self.stage.dismantle()

    async def go_on_to_the_end(self) -> None:
        """Let everything happen that is still to come, and look at the end. Raises Violation."""
        while await self._once():
            pass
        self.stage.figures["deadlocks"] += self.stage.locks.deadlocks
        await check_end(self)

    async def _begin(self) -> None:
        for _ in range(self.random.choice((2, 2, 3, 3, 4))):
            await self.stage.add_worker()
        if not self.stage.catches_up or self.random.random() < 0.5:
            stream = task_stream(self.stage.redis, self.stage.redis, consumer="events", lease=LEASE)
            await stream.enqueue([RULE_MESSAGE])
        self.stage.watch.look()

    async def _once(self) -> bool:
        """Decide and do one thing; False when everything has come to its end."""
        self._steps += 1
        if self._steps > self._most_steps:
            raise Violation(f"no end after {self._most_steps} steps: {self._situation()}")
        await self._do_what_is_due()
        choices = self._choices()
        busy = any(step is not None and not step.is_poll for _, _, step in choices)
        looking = any(step is not None for _, _, step in choices)
        if not busy and not (looking and self._polls_help()):
            if not await self._when_idle():
                return False
            choices = self._choices()
        if choices:
            _, actor, step = self.random.choices(choices, [weight for weight, _, _ in choices])[0]
            await self._move(actor, step)
        if self.random.random() < 0.02:
            await self._something_runs_out()
        if self.stage.watch.violation is not None:
            raise self.stage.watch.violation
        return True

    def _polls_help(self) -> bool:
        """Whether a worker that looks for work would find some."""
        return bool(self.stage.watch.state.unread) or self.stage.claimable()

    def _choices(self) -> list[tuple[float, Actor, Step | None]]:
        """Every step that may go next, with its weight; None stands for a beat."""
        poll = POLL if self._polls_help() else POLL_IN_VAIN
        choices: list[tuple[float, Actor, Step | None]] = []
        for actor in (self.stage.operator, *self.stage.workers):
            if not actor.moves:
                continue
            for step in actor.steps:
                if step.phase is not Phase.UNDER_WAY and step.not_before <= self.stage.number:
                    choices.append((actor.weight * (poll if step.is_poll else 1.0), actor, step))
            if isinstance(actor, VirtualWorker) and actor.keeper.held and actor.no_beat_before <= self.stage.number:
                choices.append((actor.weight * BEAT, actor, None))
        return choices

    async def _move(self, actor: Actor, step: Step | None) -> None:
        if step is None:
            assert isinstance(actor, VirtualWorker)
            await self.stage.beat(actor)
        elif step.name == "poison" and step.phase is Phase.WAITING:
            await self._die_of_poison(actor)
        else:
            self.stage.number += not step.is_poll
            await self.stage.perform(step)
            if step.phase is Phase.ANSWERED:
                self.stage.deliver(step)
        await self.stage.come_to_rest()

    async def _die_of_poison(self, actor: Actor) -> None:
        assert isinstance(actor, VirtualWorker)
        self.stage.figures["killed by poison"] += 1
        await self.stage.crash(actor)
        self.stage.follow_up(self.random.randint(0, 10), "its leases run out", lambda: self.stage.expire(actor))
        self.stage.follow_up(self.random.randint(0, 10), "it is replaced", self.stage.add_worker)

    # --- faults, time and chance

    async def _do_what_is_due(self) -> None:
        for due in self.stage.agenda.due(self.stage.number):
            await self._follow(due)
        for fault in [one for one in self.faults if one.at <= self.stage.number]:
            await self._inject(fault, at_last=fault.at + fault_kinds.PATIENCE <= self.stage.number)

    async def _follow(self, due: FollowUp) -> None:
        self.stage.log.note(self.stage.number, "*", due.what)
        await due.act()
        await self.stage.come_to_rest()

    async def _inject(self, fault: Fault, *, at_last: bool) -> None:
        """Let *fault* happen, unless it waits for a step of its kind; *at_last*: then to any other."""
        step = fault_kinds.target(self.stage, fault)
        if step is None and not at_last:
            return
        self.faults.remove(fault)
        self.stage.log.note(self.stage.number, "*", f"fault {fault.number}: {fault.kind}")
        await self.let_happen(fault.kind, Random(fault.seed), step)

    async def let_happen(self, kind: str, random: Random, step: Step | None) -> None:
        """A fault of this *kind* comes over the process that is about to do *step*."""
        self.stage.figures["faults"] += 1
        self.stage.figures[f"fault: {kind}"] += 1
        self.kinds.add(kind)
        self.stage.watch.recorder.note_fault(kind)
        if kind in fault_kinds.BY_HAND:
            self.stage.watch.nothing_lost = False
        if kind in fault_kinds.NEEDS_CATCH_UP:
            self.lost_something = True
        await fault_kinds.inject(self.stage, kind, random, step)
        await self.stage.come_to_rest()
        self.stage.watch.look()

    async def _something_runs_out(self) -> None:
        """Now and then: a lease that nobody keeps, the patience for a lock, a short timer."""
        match self.random.randrange(3):
            case 0:
                await self.stage.expire_entries(self.stage.orphans())
            case 1 if self.stage.locks.under_way:
                await self.stage.time_out(self.random.choice(self.stage.locks.under_way))
            case _:
                wait = self.stage.world.loop.next_timer_in()
                if wait is not None and wait < 1.0:
                    await self.stage.advance(wait + 0.001)

    async def _when_idle(self) -> bool:
        """Nobody has anything to do but to look for work. Let happen what has to happen next; False: nothing has."""
        stage = self.stage
        if held := [step for worker in stage.moving() for step in worker.steps if step.not_before > stage.number]:
            held[0].not_before = 0
        elif (due := stage.agenda.next()) is not None:
            await self._follow(due)
        elif self.faults:
            await self._inject(self.faults[0], at_last=True)
        elif stage.locks.under_way:
            await stage.time_out(stage.locks.under_way[0])
        elif frozen := [worker for worker in stage.workers if worker.frozen and worker.alive]:
            await stage.wake(frozen[0])
        elif all(worker.stopping for worker in stage.moving()):
            await stage.add_worker()
        elif orphans := stage.orphans():
            await stage.expire_entries(orphans)
        elif stage.watch.state.pending or any(not worker.steps for worker in stage.moving()):
            await stage.advance((stage.world.loop.next_timer_in() or 0.0) + 0.001)
        elif stage.watch.state.later:
            await self._until_due()
        else:
            return await self._reconcile()
        return True

    async def _until_due(self) -> None:
        now = (self.stage.world.now() + FAR_FUTURE).timestamp()
        first = min(self.stage.watch.state.later.values()) / 1000
        await self.stage.advance(max(0.0, first - now) + 0.001)

    async def _reconcile(self) -> bool:
        """Redis is at rest. If the ledger is not, only the reconciler can go on."""
        known = await self.stage.monitor.fetch("SELECT state FROM cycle")
        ended = known and not any(row["state"] in ("running", "waiting") for row in known)
        left_open = await self._open_parts()
        if ended and not left_open:
            return await self._look_at_the_end()
        if (ended or self.stage.watch.gave_up_a_request) and not self.stage.catches_up:
            # Of work that was called off only the reconciler closes what a transaction that stood still kept open.
            self.stage.catches_up = True
            await self.stage.add_worker()
            return True
        if not self.stage.catches_up:
            raise Violation(f"nothing is under way any more, and the ledger has open work: {left_open or 'a cycle'}")
        self._rounds += 1
        if self._rounds > ROUNDS_OF_CATCH_UP:
            raise Violation(f"the reconciler does not bring it to an end: {left_open or 'a cycle'}")
        await self.stage.advance(31.0)
        return True

    async def _look_at_the_end(self) -> bool:
        """Whoever publishes looks once more: by then each verdict says what the ledger does."""
        if self._looked_at_the_end:
            return False
        self._looked_at_the_end = True
        for act in self.stage.when_done:
            await act()
        for seconds in (AT_MOST_EVERY_S, EVERY.total_seconds()):  # both pauses of a catch-up that has just looked
            await self.stage.advance(seconds + 0.001)
        return True

    async def _open_parts(self) -> str:
        rows = await self.stage.monitor.fetch(
            "SELECT cycle_id, task, part, state FROM part WHERE state IN ('blocked', 'ready', 'running', 'retrying')"
        )
        return ", ".join(f"{row['cycle_id']}/{row['task']}/{row['part']} {row['state']}" for row in rows)

    def _situation(self) -> str:
        state = self.stage.watch.state
        steps = [f"{step.actor.name} {step.name}" for worker in self.stage.moving() for step in worker.steps]
        return f"{len(state.entries)} entries, {len(state.later)} later, next: {', '.join(steps)}"
