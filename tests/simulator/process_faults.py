"""Faults of processes and connections: killed, frozen, slow, unheard, stopped, with a clock that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.gates import Phase

if TYPE_CHECKING:
    from random import Random

    from tests.simulator.gates import Step
    from tests.simulator.stage import Stage
    from tests.simulator.virtual_worker import VirtualWorker


def _worker_of(stage: Stage, step: Step | None) -> VirtualWorker | None:
    moving = stage.moving()
    return next((worker for worker in moving if step is not None and worker is step.actor), next(iter(moving), None))


async def crash(stage: Stage, random: Random, step: Step | None) -> None:
    """SIGKILL before a round trip, or after it, before its reply."""
    worker = _worker_of(stage, step)
    if worker is None:
        return
    if step is not None and random.random() < 0.5:
        await stage.perform(step)
    await stage.crash(worker)
    stage.follow_up(random.randint(0, 30), "its leases run out", lambda: stage.expire(worker))
    stage.follow_up(random.randint(0, 40), "it is replaced", stage.add_worker)


async def freeze(stage: Stage, random: Random, step: Step | None) -> None:
    """SIGSTOP before a round trip, or after it. Mostly its lease runs out before SIGCONT, and somebody takes over."""
    worker = _worker_of(stage, step)
    if worker is None:
        return
    if step is not None and random.random() < 0.3:
        await stage.perform(step)
    stage.freeze(worker)
    held = list(worker.keeper.held)

    def taken_over() -> bool:
        pending = stage.watch.state.pending
        return any(entry_id not in pending or pending[entry_id].owner != worker.name for entry_id in held)

    def over() -> bool:
        return all(entry_id not in stage.watch.state.pending for entry_id in held)

    if random.random() < 0.85:
        stage.follow_up(random.randint(0, 10), "its leases run out", lambda: stage.expire(worker))
        if random.random() < 0.3:
            stage.follow_up(random.randint(5, 30), "its sessions end", lambda: stage.end_sessions(worker))
        once = random.choice((taken_over, over))
        stage.follow_up(150, "it wakes", lambda: stage.wake(worker), once=once, delay=random.randint(0, 12))
    else:
        stage.follow_up(random.randint(1, 20), "it wakes", lambda: stage.wake(worker))


async def slow_down(stage: Stage, random: Random, step: Step | None) -> None:
    """One request is on its way for long, while everything else goes on."""
    if step is not None and step.phase is Phase.WAITING:
        step.not_before = stage.number + random.randint(5, 40)
        stage.log.note(stage.number, step.actor.name, step.name, "is slow")


async def lose_request(stage: Stage, random: Random, step: Step | None) -> None:
    """The connection ends before the server has read the request."""
    if step is not None and step.server != "vendor":
        await stage.lose(step, performed=False)


async def lose_reply(stage: Stage, random: Random, step: Step | None) -> None:
    """The server has done it, and the worker never hears of it."""
    if step is not None and step.server != "vendor":
        await stage.lose(step, performed=True)


async def mute_redis(stage: Stage, random: Random, step: Step | None) -> None:
    """Redis does not answer one worker for most of a lease: what it does is told to stop."""
    worker = _worker_of(stage, step)
    if worker is not None:
        worker.keeper.mute()


async def pass_deadline(stage: Stage, random: Random, step: Step | None) -> None:
    """The work takes too long."""
    held = [(worker, entry_id) for worker in stage.moving() for entry_id in worker.keeper.held]
    if held:
        worker, entry_id = random.choice(held)
        if worker.keeper.pass_deadline(entry_id):
            stage.watch.excuse(entry_id)


async def stop(stage: Stage, random: Random, step: Step | None) -> None:
    """SIGTERM."""
    worker = _worker_of(stage, step)
    if worker is not None:
        worker.stop()
        stage.follow_up(random.randint(0, 30), "it is replaced", stage.add_worker)


async def let_time_pass(stage: Stage, random: Random, step: Step | None) -> None:
    await stage.advance(random.choice((0.2, 1.0, 3.0, 10.0, 35.0)))


async def skew_clock(stage: Stage, random: Random, step: Step | None) -> None:
    """A worker's clock jumps."""
    moving = stage.moving()
    if moving:
        stage.skew(random.choice(moving), random.choice((-3600.0, -30.0, -2.0, 2.0, 30.0, 60.0)))
