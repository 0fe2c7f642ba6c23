"""Plays one seed: decides which process makes its next round trip, performs exactly that one, and checks.

Everything that is decided here comes from the seed; the servers are real, and asked one thing at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import RedisError

from consumer.delivery.task_stream import TaskStream
from producers import keys
from tests.simulator import faults as fault_kinds
from tests.simulator.final_checks import check_end
from tests.simulator.gated_postgres import GatedPool
from tests.simulator.gated_redis import script_names
from tests.simulator.gates import Actor, Phase, Step
from tests.simulator.locks import Locks, finish
from tests.simulator.redis_state import NOTHING, Violation, check_ownership, check_removed, read_state
from tests.simulator.schedule import ScheduleLog, shortened
from tests.simulator.virtual_time import NeverQuiet
from tests.simulator.virtual_worker import FAR_FUTURE, LEASE, VirtualWorker
from tests.simulator.workload import Handlers, draw_workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from consumer.tasks.part import PartContext
    from tests.simulator.faults import Fault
    from tests.simulator.gated_postgres import Session
    from tests.simulator.virtual_worker import World

MOST_STEPS = 9_000
MOST_WORKERS = 40
ROUNDS_OF_CATCH_UP = 12


class FollowUp(msgspec.Struct):
    at: int
    what: str
    act: Callable[[], Any]


class Simulation:
    """One seed."""

    def __init__(self, world: World, monitor: Session, seed: int, *, without: Iterable[int] = ()) -> None:
        self.world = world
        self.redis = world.redis
        self.monitor = monitor
        self.random = Random(seed)
        self.catches_up = self.random.random() < 0.5
        drawn = self._draw(seed)
        self.faults = [fault for fault in drawn if fault.number not in set(without)]
        self.log = ScheduleLog()
        self.figures: Counter[str] = Counter()
        self.number = 0
        self.workers: list[VirtualWorker] = []
        self.operator = Actor("operator", world.loop)
        self.operator_pool: Any = GatedPool(self.operator, world.sessions)
        self.script_names = script_names()
        self.locks = Locks(monitor, world.sessions)
        self.state = NOTHING
        self.seen: list[dict[str, str]] = []
        self.nonsense: set[str] = set()
        self.deliveries: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.lost_something = False
        self._follow_ups: list[FollowUp] = []
        self._running: dict[str, list[tuple[VirtualWorker, str]]] = {}
        self._violation: Violation | None = None
        self._rounds = 0

    def _draw(self, seed: int) -> list[Fault]:
        workload = draw_workload(Random(f"{seed}/workload"), may_wait=self.catches_up)
        drawn = fault_kinds.draw_faults(seed, parts=len(workload.parts) + 2)
        self.kinds = {fault.kind for fault in drawn}
        self.catches_up = self.catches_up or bool(self.kinds & fault_kinds.NEEDS_CATCH_UP)
        self.workload = workload
        self.handlers = Handlers(workload, on_run=self._note_run)
        return drawn

    # --- the run

    async def play(self) -> None:
        """Run to the end. Raises Violation."""
        try:
            await self._begin()
            while await self._once():
                pass
            await check_end(self)
        except NeverQuiet as hot:
            raise Violation(str(hot)) from hot
        finally:
            await self._dismantle()

    async def _begin(self) -> None:
        for _ in range(self.random.choice((2, 2, 3, 3, 4))):
            await self.add_worker()
        if not self.catches_up or self.random.random() < 0.5:
            stream = TaskStream(self.redis, self.redis, consumer="events", lease=LEASE)
            await stream.enqueue([fault_kinds.RULE_MESSAGE])
        await self.refresh("beginning")

    async def _once(self) -> bool:
        """Decide and do one thing; False when everything has come to its end."""
        self.number += 1
        if self.number > MOST_STEPS:
            raise Violation(f"no end after {MOST_STEPS} steps: {self._situation()}")
        await self._do_what_is_due()
        choices = self._choices()
        busy = any(step is None or not step.is_poll for _, _, step in choices)
        if not busy and not (self.state.unread or self._claimable()) and not await self._when_idle():
            return False
        choices = self._choices()
        if choices:
            _, actor, step = self.random.choices(choices, [weight for weight, _, _ in choices])[0]
            await self._move(actor, step)
        if self.random.random() < 0.02:
            await self._something_runs_out()
        if self._violation is not None:
            raise self._violation
        return True

    def _choices(self) -> list[tuple[float, Actor, Step | None]]:
        """Every step that may go next; None stands for a beat."""
        choices: list[tuple[float, Actor, Step | None]] = []
        for actor in (self.operator, *self.workers):
            if not actor.moves:
                continue
            for step in actor.steps:
                if step.phase is not Phase.UNDER_WAY:
                    choices.append((actor.weight * (0.3 if step.is_poll else 1.0), actor, step))
            if isinstance(actor, VirtualWorker) and actor.keeper.held:
                choices.append((actor.weight * 0.15, actor, None))
        return choices

    async def _move(self, actor: Actor, step: Step | None) -> None:
        if step is None:
            assert isinstance(actor, VirtualWorker)
            await self._beat(actor)
        else:
            if step.phase is Phase.WAITING:
                if step.name == "poison":
                    await self._die_of_poison(actor)
                    return
                await self.perform(step)
            if step.phase is Phase.ANSWERED:
                step.deliver()
        await self.come_to_rest()

    async def come_to_rest(self) -> None:
        """Every process has reached its next gate, and what nobody uses any more is clean."""
        await self.world.loop.quiet()
        for worker in self.workers:
            if worker.alive and worker.has_ended:
                self._note_end(worker)
        for connection in list(self.world.sessions.left):
            if await self.locks.clean(connection, patient=not connection.actor.alive):
                self.world.sessions.free(connection)
        await self.locks.settle()

    def _note_end(self, worker: VirtualWorker) -> None:
        assert worker.main is not None
        worker.alive = False
        failure = None if worker.main.cancelled() else worker.main.exception()
        if failure is not None or not worker.stopping:
            self._violation = Violation(f"{worker.name} ended by itself: {failure!r}")
        self.log.note(self.number, worker.name, "has ended")
        self._give_sessions_back(worker)  # a process that ends takes its connections with it

    # --- steps

    async def perform(self, step: Step) -> None:
        """Have the server do it; the reply is not delivered yet. It may wait for a lock, and go on so."""
        if step.phase is not Phase.WAITING:
            return
        self.figures["steps"] += 1
        self.figures[f"{step.server} round trips"] += 1
        connection = step.connection
        if connection is not None and connection.under_way is not None:
            await self.locks.clean(connection)
        step.phase = Phase.UNDER_WAY
        step.task = asyncio.ensure_future(step.run())
        if connection is not None:
            connection.under_way = step
            self.locks.under_way.append(step)
            await self.locks.settle()
        else:
            await asyncio.wait([step.task])
            finish(step)
        self._log_step(step)
        if step.server == "redis":
            await self._watch(step.actor.name, step.name)

    def _log_step(self, step: Step) -> None:
        what = f"{step.name} {shortened(step.detail)}"
        if step.phase is Phase.UNDER_WAY:
            self.figures["waits for a lock"] += 1
            self.log.note(self.number, step.actor.name, what, "waits for a lock")
            return
        if step.failure is not None:
            outcome = f"{type(step.failure).__name__}: {shortened(step.failure)}"
        else:
            outcome = shortened(step.result)
        self._count(step)
        if not step.is_poll or step.failure is not None:
            self.log.note(self.number, step.actor.name, what, outcome)

    def _count(self, step: Step) -> None:
        if step.name.startswith("fenced_write SELECT") and step.result is None and step.failure is None:
            self.figures["stale writes rejected"] += 1
        if step.name == "begin" and "DUPLICATE" in str(step.result):
            self.figures["duplicates dropped"] += 1
        if step.name in ("begin", "settle") and "LOST" in str(step.result):
            self.figures[f"{step.name} refused"] += 1
        if step.name == "raise_fence":
            self.figures["fence raised"] += 1

    async def _watch(self, actor: str, step: str) -> None:
        before = self.state
        await self._read()
        check_ownership(before, self.state, actor=actor, step=step)
        await check_removed(self.monitor, before, self.state, step=f"{actor}: {step}")

    async def _read(self) -> None:
        self.state = await read_state(self.redis)
        for entry_id, held in self.state.pending.items():
            key = self.state.key_of(entry_id) or entry_id
            self.deliveries[key] = max(self.deliveries[key], held.deliveries)
        for fields in self.state.entries.values():
            if fields not in self.seen and "part" in fields:
                self.seen.append(fields)

    async def refresh(self, why: str) -> None:
        """Look anew after something was done by hand."""
        await self._read()

    async def _beat(self, worker: VirtualWorker) -> None:
        self.figures["beats"] += 1
        try:
            lost = await worker.keeper.beat()
        except RedisError as error:  # as when the group is gone
            self.log.note(self.number, worker.name, "beat", f"failed: {error}")
            return
        if lost:
            self.log.note(self.number, worker.name, "beat", f"lost {' '.join(lost)}")
        await self._watch(worker.name, "beat")

    async def lose(self, step: Step, *, performed: bool) -> None:
        """The connection of *step* ends, before the server has read the request or after it has done it."""
        if performed:
            await self.perform(step)
            if step.phase is not Phase.ANSWERED:
                return
        if step.phase is Phase.UNDER_WAY:
            return
        self.log.note(self.number, step.actor.name, step.name, "reply lost" if performed else "request lost")
        if step.connection is not None:
            await self.locks.clean(step.connection)
            step.connection.cut = True
            step.failure = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        else:
            step.failure = RedisUnreachable("connection lost")
        step.deliver()
        await self.come_to_rest()

    # --- processes

    def moving(self) -> list[VirtualWorker]:
        return [worker for worker in self.workers if worker.moves]

    async def add_worker(self) -> None:
        if len(self.workers) >= MOST_WORKERS:
            raise Violation(f"{MOST_WORKERS} workers were used up")
        worker = VirtualWorker(
            f"w{len(self.workers) + 1}", self.world, slots=self.random.choice((1, 1, 2, 3)),
            weight=self.random.choice((1.0, 1.0, 3.0, 0.3)), catches_up=self.catches_up,
        )  # fmt: skip
        self.workers.append(worker)
        worker.start()
        await self.come_to_rest()

    async def crash(self, worker: VirtualWorker) -> None:
        self.figures["crashes"] += 1
        self.log.note(self.number, worker.name, "CRASHES")
        worker.alive = False
        self._give_sessions_back(worker)
        await self.come_to_rest()

    def _give_sessions_back(self, worker: VirtualWorker) -> None:
        for connection in [held for held in self.world.sessions.in_use if held.actor is worker]:
            self.world.sessions.give_back(connection)

    def freeze(self, worker: VirtualWorker) -> None:
        self.figures["freezes"] += 1
        self.log.note(self.number, worker.name, "FREEZES")
        worker.frozen = True

    async def wake(self, worker: VirtualWorker) -> None:
        worker.frozen = False

    async def end_sessions(self, worker: VirtualWorker) -> None:
        """What idle_in_transaction_session_timeout does."""
        for connection in self.world.sessions.in_use:
            if connection.actor is worker and connection.begun and connection.under_way is None:
                await self.locks.clean(connection)
                connection.cut = True
        await self.come_to_rest()

    async def expire(self, worker: VirtualWorker) -> None:
        await self._expire([i for i, held in self.state.pending.items() if held.owner == worker.name])

    async def _expire(self, entry_ids: list[str]) -> None:
        """What time would do: the entries have been idle for longer than a lease."""
        for entry_id in entry_ids:
            held = self.state.pending[entry_id]
            if held.lease_is_alive:
                await self.redis.execute_command(
                    "XCLAIM", keys.TASKS.name, keys.GROUP, held.owner, 0, entry_id,
                    "IDLE", int(LEASE.total_seconds() * 2000), "RETRYCOUNT", held.deliveries, "JUSTID",
                )  # fmt: skip
                self.log.note(self.number, held.owner, f"lease of {entry_id} runs out")
        await self.refresh("lease")

    def skew(self, worker: VirtualWorker, seconds: float) -> None:
        worker.skew = type(worker.skew)(seconds=seconds)
        self.log.note(self.number, worker.name, f"clock jumps by {seconds} s")

    async def _die_of_poison(self, actor: Actor) -> None:
        assert isinstance(actor, VirtualWorker)
        self.figures["poisoned"] += 1
        await self.crash(actor)
        self.follow_up(self.random.randint(0, 20), "its leases run out", lambda: self.expire(actor))
        self.follow_up(self.random.randint(0, 20), "it is replaced", self.add_worker)

    # --- time and chance

    def follow_up(self, steps: int, what: str, act: Callable[[], Awaitable[None]]) -> None:
        self._follow_ups.append(FollowUp(at=self.number + steps, what=what, act=act))

    def excuse(self, entry_id: str) -> None:
        """A failed attempt that the simulator is to blame for."""
        self.excused[self.state.key_of(entry_id) or entry_id] += 1

    async def _do_what_is_due(self) -> None:
        for due in [one for one in self._follow_ups if one.at <= self.number]:
            await self._follow(due)
        while self.faults and self.faults[0].at <= self.number:
            await self._inject(self.faults.pop(0))

    async def _follow(self, due: FollowUp) -> None:
        self._follow_ups.remove(due)
        self.log.note(self.number, "*", due.what)
        await due.act()
        await self.come_to_rest()

    async def _inject(self, fault: Fault) -> None:
        self.log.note(self.number, "*", f"fault {fault.number}: {fault.kind}")
        self.figures[f"fault {fault.kind}"] += 1
        self.lost_something = self.lost_something or fault.kind in fault_kinds.NEEDS_CATCH_UP
        _, inject = fault_kinds.KINDS[fault.kind]
        await inject(self, fault.random)
        await self.come_to_rest()
        await self.refresh(fault.kind)

    async def advance(self, seconds: float) -> None:
        """Let time pass, also for Redis: what was parked until then is due."""
        self.log.note(self.number, "*", f"{seconds:g} s pass")
        self.world.loop.advance(seconds)
        due = (self.world.now() + FAR_FUTURE).timestamp() * 1000
        for key, score in self.state.later.items():
            if 0 < score <= due:
                await self.redis.zadd(keys.LATER.pattern, {key: 0}, xx=True)
        await self.come_to_rest()
        await self.refresh("time")

    async def _something_runs_out(self) -> None:
        """Now and then: a lease that nobody keeps, the patience for a lock, a short timer."""
        match self.random.randrange(3):
            case 0:
                await self._expire(self._orphans())
            case 1 if self.locks.under_way:
                await self._end_a_wait()
            case _:
                wait = self.world.loop.next_timer_in()
                if wait is not None and wait < 1.0:
                    await self.advance(wait + 0.001)

    async def _end_a_wait(self) -> None:
        """lock_timeout of the one that waits."""
        step = self.random.choice(self.locks.under_way)
        if step.actor.moves:
            self.figures["lock timeouts"] += 1
            self.log.note(self.number, step.actor.name, step.name, "lock timeout")
            await self.locks.time_out(step)
            await self.come_to_rest()

    def _orphans(self) -> list[str]:
        """What is pending, and no living process keeps the lease of."""
        kept = {entry_id for worker in self.moving() for entry_id in worker.keeper.held}
        underway = {w.name for w in self.moving() if any(s.phase is Phase.ANSWERED for s in w.steps)}
        return [
            i for i, held in self.state.pending.items()
            if i not in kept and held.owner not in underway and held.lease_is_alive
        ]  # fmt: skip

    def _claimable(self) -> bool:
        return any(not held.lease_is_alive for held in self.state.pending.values())

    async def _when_idle(self) -> bool:
        """Nobody has anything to do but to look for work. Let happen what has to happen next; False: nothing has."""
        if self._follow_ups:
            await self._follow(min(self._follow_ups, key=lambda one: one.at))
        elif self.faults:
            await self._inject(self.faults.pop(0))
        elif self.locks.under_way:
            await self._end_all_waits()
        elif any(worker.frozen and worker.alive for worker in self.workers):
            for worker in self.workers:
                worker.frozen = False
        elif not self.moving() or all(worker.stopping for worker in self.moving()):
            await self.add_worker()
        elif orphans := self._orphans():
            await self._expire(orphans)
        elif any(not worker.steps for worker in self.moving()):
            await self.advance((self.world.loop.next_timer_in() or 0.0) + 0.001)
        elif self.state.later:
            await self._until_due()
        else:
            return await self._reconcile()
        return True

    async def _until_due(self) -> None:
        now = (self.world.now() + FAR_FUTURE).timestamp()
        first = min(self.state.later.values()) / 1000
        await self.advance(max(0.0, first - now) + 0.001)

    async def _end_all_waits(self) -> None:
        for step in list(self.locks.under_way):
            if step.connection is not None and not step.actor.moves:
                await self.locks.clean(step.connection)
            else:
                await self.locks.time_out(step)
        await self.come_to_rest()

    async def _reconcile(self) -> bool:
        """Redis is at rest. If the ledger is not, only the reconciler can go on."""
        open_cycles = await self.monitor.fetch(
            "SELECT cycle_id, state FROM cycle WHERE state IN ('running', 'waiting')"
        )
        known = await self.monitor.fetchval("SELECT count(*) FROM cycle")
        if not open_cycles and known:
            return False
        if not self.catches_up:
            raise Violation(f"nothing is under way any more, and the ledger has open work: {await self._open_parts()}")
        self._rounds += 1
        if self._rounds > ROUNDS_OF_CATCH_UP:
            raise Violation(f"the reconciler does not bring it to an end: {await self._open_parts()}")
        await self.advance(31.0)
        return True

    async def _open_parts(self) -> str:
        rows = await self.monitor.fetch(
            "SELECT cycle_id, task, part, state FROM part WHERE state IN ('blocked', 'ready', 'running', 'retrying')"
        )
        return ", ".join(f"{row['cycle_id']}/{row['task']}/{row['part']} {row['state']}" for row in rows) or "a cycle"

    def _situation(self) -> str:
        steps = [f"{step.actor.name} {step.name}" for worker in self.moving() for step in worker.steps]
        return f"{len(self.state.entries)} entries, {len(self.state.later)} later, next: {', '.join(steps)}"

    # --- what handlers tell

    def _note_run(self, actor: Actor, ctx: PartContext) -> None:
        """A part begins. It must not be under way by another entry: one work is done once at a time."""
        assert isinstance(actor, VirtualWorker)
        self.figures["parts run"] += 1
        key = ctx.part.key
        entry_id = next((i for i in actor.keeper.held if self.state.key_of(i) == key), "")
        for other, running in self._running.setdefault(key, []):
            if running != entry_id and self._holds(actor, entry_id) and self._holds(other, running):
                self._violation = Violation(f"{key} is run by {actor.name} while {other.name} runs it, both alive")
        self._running[key].append((actor, entry_id))

    def _holds(self, worker: VirtualWorker, entry_id: str) -> bool:
        held = self.state.pending.get(entry_id)
        owned = held is not None and held.owner == worker.name and held.lease_is_alive
        return owned and worker.moves and entry_id in worker.keeper.held

    # --- the end

    async def _dismantle(self) -> None:
        for actor in (self.operator, *self.workers):
            await actor.dismantle()
        for connection in list(self.world.sessions.in_use):
            self.world.sessions.give_back(connection)
        for connection in list(self.world.sessions.left):
            await self.locks.clean(connection)
            self.world.sessions.free(connection)
