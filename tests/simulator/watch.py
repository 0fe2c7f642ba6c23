"""Watches the run: compares Redis before and after each step, and remembers what the end is judged by."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.simulator.branches import ways_of_step
from tests.simulator.ledger_state import OPEN, check_removed
from tests.simulator.recorder import Recorder
from tests.simulator.redis_state import NOTHING, Violation, check_ownership, read_state
from tests.simulator.virtual_worker import VirtualWorker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from consumer.tasks.part import PartContext
    from tests.simulator.gated_postgres import Session
    from tests.simulator.gates import Actor, Step

_DEAD = re.compile(r'\["[^"]+","([^"]*)","dead"')  # the name of the work, in the arguments of settle.lua


class Watch:
    """What is known of the run so far. *violation*: what was noticed where nothing may be raised."""

    def __init__(self, redis: Redis, ledger: Session) -> None:
        self._redis = redis
        self._ledger = ledger
        self.state = NOTHING
        self.recorder = Recorder(redis, ledger)
        self.figures: Counter[str] = Counter()
        self.deliveries: Counter[str] = Counter()  # the highest delivery count, by the work's name
        self.excused: Counter[str] = Counter()  # failed attempts that the simulator is to blame for, by work
        self.messages: list[dict[str, str]] = []  # of parts, each once
        self.violation: Violation | None = None
        self.nothing_lost = True  # nobody has taken a message out of Redis, or its holder's name
        # A request that killed its consumers after its cycle was committed: only the reconciler sends the first part.
        self.gave_up_a_request = False
        # The fence that the ledger has seen, by the worker that was told so and the entry that it holds.
        self._to_be_lifted: dict[tuple[str, str], tuple[int, VirtualWorker]] = {}
        self._running: dict[str, list[tuple[VirtualWorker, str]]] = {}

    def look(self) -> None:
        """Read what Redis holds now; no process has changed it since the last time."""
        before = self.state
        self._read()
        self.recorder.note_outside(before, self.state)

    def _read(self) -> None:
        self.state = read_state(self._redis)
        for entry_id, held in self.state.pending.items():
            key = self.state.key_of(entry_id) or entry_id
            self.deliveries[key] = max(self.deliveries[key], held.deliveries)
        for fields in self.state.entries.values():
            if "part" in fields and fields not in self.messages:
                self.messages.append(fields)

    async def compare(self, actor: str, step: str) -> None:
        """Hold what *actor* has done against what it may do. Raises Violation."""
        before = self.state
        self._read()
        await self.recorder.note_step(actor, step, before, self.state)
        check_ownership(before, self.state, actor=actor, step=step)
        self._check_fence(actor, (i for i in before.entries if i not in self.state.entries))
        await check_removed(
            self._ledger, before, self.state, step=f"{step} of {actor}", nothing_lost=self.nothing_lost
        )  # fmt: skip

    def holds_all(self, worker: VirtualWorker) -> bool:
        """Whether a beat of *worker* changes nothing but how long its entries have been idle."""
        pending = self.state.pending
        return all(
            i in pending and pending[i].owner == worker.name and pending[i].lease_is_alive for i in worker.keeper.held
        )

    def excuse(self, entry_id: str) -> None:
        self.excused[self.state.key_of(entry_id) or entry_id] += 1

    def forgive_lost_fence(self) -> None:
        """Redis has lost something: the counter may be behind once more."""
        self._to_be_lifted.clear()

    def forgive_lift(self, worker: str) -> None:
        """What *worker* does was cut short, or it does not hear of it: the next delivery meets the ledger again."""
        self._to_be_lifted = {told: fence for told, fence in self._to_be_lifted.items() if told[0] != worker}

    def hear(self, step: Step) -> None:
        """A process has the reply of *step*. One that is told of a newer token than its own has to lift the counter."""
        row = step.result if step.name == "_why_not_taken SELECT part.state," and step.failure is None else None
        if row is None or row["cycle_state"] != "running" or row["state"] not in OPEN:
            return
        assert isinstance(step.actor, VirtualWorker)
        # The one entry that stands for the work: it may hold a second one, which it is about to drop as a duplicate.
        entry_id = self.state.queued.get(step.detail.replace(", ", "/"), "")
        if entry_id in step.actor.keeper.held:
            self._to_be_lifted[step.actor.name, entry_id] = row["fence"], step.actor

    def count(self, step: Step) -> None:
        """Figures of the ways that are gone, by the replies."""
        worker = step.actor
        by_reconciler = isinstance(worker, VirtualWorker) and step.task_of_actor is worker.reconciler
        self.figures.update(ways_of_step(step, by_reconciler=by_reconciler))
        if step.name == "settle" and any(key.count("/") < 2 for key in _DEAD.findall(step.detail)):
            self.nothing_lost = False
            self.gave_up_a_request = True

    def _check_fence(self, actor: str, removed: Iterable[str]) -> None:
        """Whoever was told that a token is no newer than the ledger's lifts the counter before it ends the entry."""
        for entry_id in removed:
            seen, worker = self._to_be_lifted.pop((actor, entry_id), (0, None))
            if worker is not None and self.state.fence < seen and entry_id not in worker.keeper.stopped:
                raise Violation(f"{actor} ended an entry with the counter at {self.state.fence}, behind fence {seen}")

    def note_run(self, actor: Actor, ctx: PartContext) -> None:
        """A part begins. It must not be under way by another entry: one work is done once at a time."""
        assert isinstance(actor, VirtualWorker)
        self.figures["parts run"] += 1
        key = ctx.part.key
        entry_id = actor.entry_at_work()
        for other, running in self._running.setdefault(key, []):
            if running != entry_id and self._holds(actor, entry_id) and self._holds(other, running):
                self.violation = Violation(f"{key} is run by {actor.name} while {other.name} runs it, both alive")
        self._running[key].append((actor, entry_id))

    def _holds(self, worker: VirtualWorker, entry_id: str) -> bool:
        held = self.state.pending.get(entry_id)
        owned = held is not None and held.owner == worker.name and held.lease_is_alive
        # Of an entry that somebody deleted nothing keeps a second one from being begun.
        return owned and worker.moves and entry_id in worker.keeper.held and entry_id in self.state.entries
