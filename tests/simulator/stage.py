"""Does what the scheduler decides: performs a step, delivers or loses its reply, crashes, freezes, lets time pass."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import RedisError

from contract import keys
from tests.simulator.agenda import Agenda, FollowUp
from tests.simulator.gated_postgres import GatedPool
from tests.simulator.gated_redis import script_names
from tests.simulator.gates import Actor, Phase, Step
from tests.simulator.locks import Locks, finish
from tests.simulator.redis_state import Violation
from tests.simulator.schedule import ScheduleLog, shortened
from tests.simulator.virtual_worker import FAR_FUTURE, LEASE, VirtualWorker
from tests.simulator.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulator.agenda import Act
    from tests.simulator.gated_postgres import Session
    from tests.simulator.virtual_worker import World

MOST_WORKERS = 50


class Stage:
    """The processes of one simulation and the servers that they share."""

    def __init__(
        self, world: World, monitor: Session, random: Random, *, catches_up: bool, publishes: bool = False
    ) -> None:
        self.world = world
        self.redis = world.redis
        self.monitor = monitor
        self.random = random
        self.catches_up = catches_up
        self.publishes = publishes
        self.watch = Watch(world.side_redis, monitor)
        self.figures = self.watch.figures
        self.log = ScheduleLog()
        self.agenda = Agenda()
        self.when_done: list[Act] = []  # what befalls a run that has come to its end, before the last look
        self.locks = Locks(monitor, world.sessions)
        self.workers: list[VirtualWorker] = []
        self.operator = Actor("operator", world.loop)
        self.operator_pool: Any = GatedPool(self.operator, world.sessions)
        self.script_names = script_names()
        self.nonsense: dict[str, dict[str, str]] = {}  # by entry, what nobody can read
        self.number = 0  # of steps so far, without an idle worker's looking for work

    # --- steps

    async def perform(self, step: Step) -> None:
        """Have the server do it; the reply is not delivered yet. It may wait for a lock, and go on so."""
        if step.phase is not Phase.WAITING:
            return
        if step.connection is not None and step.connection.under_way is not None:
            await self.locks.clean(step.connection)
        step.phase = Phase.UNDER_WAY
        step.task = asyncio.ensure_future(step.run())
        if step.connection is not None:
            step.connection.under_way = step
            self.locks.under_way.append(step)
            await self.locks.settle()
        else:
            await asyncio.wait([step.task])
            finish(step)
        self._note(step)
        # An idle worker that finds nothing has changed nothing; many steps are of that kind.
        if step.server == "redis" and not (step.is_poll and not self.watch.state.ghosts):
            await self.watch.compare(step.actor.name, step.name)
        await self.watch.recorder.note_performed(step)

    def _note(self, step: Step) -> None:
        self.figures["steps"] += 1
        self.figures[f"{step.server} round trips"] += 1
        what = f"{step.name} {shortened(step.detail)}"
        if step.phase is Phase.UNDER_WAY:
            self.figures["waits for a lock"] += 1
            self.log.note(self.number, step.actor.name, what, "waits for a lock")
            return
        self.watch.count(step)
        if step.failure is not None:
            self.log.note(self.number, step.actor.name, what, f"{type(step.failure).__name__}: {step.failure}")
        elif not step.is_poll:
            self.log.note(self.number, step.actor.name, what, shortened(step.result))

    def deliver(self, step: Step) -> None:
        """Let the process have the reply: from now on it knows."""
        self.watch.hear(step)
        step.deliver()

    async def lose(self, step: Step, *, performed: bool) -> None:
        """The connection of *step* ends, before the server has read the request or after it has done it."""
        if performed:
            await self.perform(step)
        if step.phase is Phase.UNDER_WAY:
            return  # it waits for a lock: there is no reply yet
        self.log.note(self.number, step.actor.name, step.name, "reply lost" if performed else "request lost")
        self.watch.forgive_lift(step.actor.name)
        if step.connection is not None:
            await self.locks.clean(step.connection)
            step.connection.cut = True
            step.failure = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        else:
            step.failure = RedisUnreachable("connection lost")
        step.deliver()
        await self.come_to_rest()

    async def beat(self, worker: VirtualWorker) -> None:
        """Renew its leases, as its thread does four times a lease."""
        self.figures["beats"] += 1
        nothing_new = self.watch.holds_all(worker)
        try:
            lost = worker.keeper.beat()
        except RedisError as error:  # as when the group is gone
            self.log.note(self.number, worker.name, "beat", f"failed: {error}")
            return
        if lost:
            self.log.note(self.number, worker.name, "beat", f"lost {' '.join(lost)}")
        if lost or not nothing_new:
            await self.watch.compare(worker.name, "beat")

    async def come_to_rest(self) -> None:
        """Every process has reached its next gate, and what nobody uses any more is clean."""
        await self.world.loop.quiet()
        for worker in self.workers:
            if worker.alive and worker.has_ended:
                self._note_end(worker)
            elif worker.alive and worker.lost_its_reconciler:
                assert worker.reconciler is not None
                self.watch.violation = Violation(f"the catch-up of {worker.name} ended: {worker.reconciler}")
        for connection in list(self.world.sessions.left):
            # A server may not notice for long that a client is gone, whose statement waits for a lock.
            if await self.locks.clean(connection, patient=not connection.actor.alive):
                self.world.sessions.free(connection)
        await self.locks.settle()

    def _note_end(self, worker: VirtualWorker) -> None:
        assert worker.main is not None
        worker.alive = False
        failure = None if worker.main.cancelled() else worker.main.exception()
        if failure is not None or not worker.stopping:
            self.watch.violation = Violation(f"{worker.name} ended by itself: {failure!r}")
        self.log.note(self.number, worker.name, "has ended")
        self._give_sessions_back(worker)  # a process that ends takes its connections with it

    # --- processes

    def moving(self) -> list[VirtualWorker]:
        return [worker for worker in self.workers if worker.moves]

    async def add_worker(self, *, slots: int | None = None) -> VirtualWorker:
        if len(self.workers) >= MOST_WORKERS:
            raise Violation(f"{MOST_WORKERS} workers were used up")
        worker = VirtualWorker(
            f"w{len(self.workers) + 1}", self.world, slots=slots or self.random.choice((1, 1, 2, 3)),
            weight=self.random.choice((1.0, 1.0, 3.0, 0.3)), catches_up=self.catches_up,
            publishes=self.publishes,
        )  # fmt: skip
        self.workers.append(worker)
        worker.start()
        await self.come_to_rest()
        return worker

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
        worker.no_beat_before = self.number + self.random.choice((0, 10, 30))

    async def end_sessions(self, worker: VirtualWorker) -> None:
        """What idle_in_transaction_session_timeout does."""
        for connection in self.world.sessions.in_use:
            if connection.actor is worker and connection.begun and connection.under_way is None:
                self.figures["idle sessions ended"] += 1
                await self.locks.clean(connection)
                connection.cut = True
        await self.come_to_rest()

    def skew(self, worker: VirtualWorker, seconds: float) -> None:
        worker.skew = dt.timedelta(seconds=seconds)
        self.log.note(self.number, worker.name, f"clock jumps by {seconds:g} s")

    async def dismantle(self) -> None:
        for actor in (self.operator, *self.workers):
            await actor.dismantle()
        for connection in list(self.world.sessions.in_use):
            self.world.sessions.give_back(connection)
        for connection in list(self.world.sessions.left):
            await self.locks.clean(connection)
            self.world.sessions.free(connection)

    # --- time

    def follow_up(
        self, steps: int, what: str, act: Act, *, once: Callable[[], bool] | None = None, delay: int = 0
    ) -> None:
        self.agenda.note(FollowUp(at=self.number + steps, what=what, act=act, once=once, delay=delay))

    async def advance(self, seconds: float) -> None:
        """Let time pass, also for Redis: what was parked until then is due."""
        self.log.note(self.number, "*", f"{seconds:g} s pass")
        self.world.loop.advance(seconds)
        due = (self.world.now() + FAR_FUTURE).timestamp() * 1000
        for key, score in self.watch.state.later.items():
            if 0 < score <= due:
                await self.redis.zadd(keys.LATER.pattern, {key: 0}, xx=True)
        await self.come_to_rest()
        self.watch.look()

    async def expire(self, worker: VirtualWorker) -> None:
        """All leases of *worker* run out."""
        await self.expire_entries([i for i, held in self.watch.state.pending.items() if held.owner == worker.name])

    async def expire_entries(self, entry_ids: list[str]) -> None:
        """What time would do: the entries have been idle for longer than a lease."""
        for entry_id in entry_ids:
            held = self.watch.state.pending[entry_id]
            if held.lease_is_alive:
                await self.redis.execute_command(
                    "XCLAIM", keys.TASKS.name, keys.GROUP, held.owner, 0, entry_id,
                    "IDLE", int(LEASE.total_seconds() * 2000), "RETRYCOUNT", held.deliveries, "JUSTID",
                )  # fmt: skip
                self.log.note(self.number, held.owner, f"lease of {entry_id} runs out")
        self.watch.look()

    def orphans(self) -> list[str]:
        """What is pending, and no process that moves keeps the lease of."""
        kept = {entry_id for worker in self.moving() for entry_id in worker.keeper.held}
        on_the_way = {w.name for w in self.moving() if any(step.phase is Phase.ANSWERED for step in w.steps)}
        return [
            entry_id for entry_id, held in self.watch.state.pending.items()
            if entry_id not in kept and held.owner not in on_the_way and held.lease_is_alive
        ]  # fmt: skip

    def claimable(self) -> bool:
        return any(not held.lease_is_alive for held in self.watch.state.pending.values())

    async def time_out(self, step: Step) -> None:
        """What lock_timeout does, or the end of a session whose client is gone."""
        if step.actor.moves:
            self.figures["lock timeouts"] += 1
            self.log.note(self.number, step.actor.name, step.name, "lock timeout")
            await self.locks.time_out(step)
        elif step.connection is not None:
            await self.locks.clean(step.connection)
        await self.come_to_rest()
