"""The faults of a seed: drawn beforehand, each with randomness of its own, so that one can be left out alone."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.cycle import calling_off
from consumer.delivery.task_stream import Outgoing, TaskStream
from producers import keys
from tests.simulator.gated_redis import GatedRedis
from tests.simulator.virtual_worker import DAY, LEASE, RULE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulator.gates import Step
    from tests.simulator.simulation import Simulation
    from tests.simulator.virtual_worker import VirtualWorker

DELIVERY_KEYS = (
    keys.TASKS.name, keys.LATER.pattern, keys.LATER_MESSAGES.pattern, keys.QUEUED.pattern, keys.DEAD.name,
    keys.FENCE.pattern,
)  # fmt: skip

RULE_MESSAGE = Outgoing(
    fields={"task": "cycle", "trading_day": str(DAY), "rule": RULE, "requested_by": "event"}, key=f"{DAY}/{RULE}"
)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """*kind* happens at the first chance from step *at* on."""

    number: int
    at: int
    kind: str
    seed: str

    @property
    def random(self) -> Random:
        return Random(self.seed)


def draw_faults(seed: int, *, parts: int) -> list[Fault]:
    random = Random(f"{seed}/faults")
    kinds = random.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=random.randint(3, 14))
    steps = sorted(random.randint(3, 40 + 22 * parts) for _ in kinds)
    return [
        Fault(number=number, at=at, kind=kind, seed=f"{seed}/{number}")
        for number, (at, kind) in enumerate(zip(steps, kinds, strict=True), start=1)
    ]


def _step_with_work(simulation: Simulation, random: Random) -> Step | None:
    steps = [step for worker in simulation.moving() for step in worker.steps_with_work()]
    return random.choice(steps) if steps else None


def _any_step(simulation: Simulation, random: Random) -> Step | None:
    """Mostly one of a delivery under way; idle workers are hit as well."""
    step = _step_with_work(simulation, random) if random.random() < 0.9 else None
    steps = [step for worker in simulation.moving() for step in worker.steps]
    return step or (random.choice(steps) if steps else None)


def _worker_of(simulation: Simulation, step: Step | None, random: Random) -> VirtualWorker | None:
    moving = simulation.moving()
    if step is None:
        return random.choice(moving) if moving else None
    return next(worker for worker in moving if worker is step.actor)


async def crash(simulation: Simulation, random: Random) -> None:
    """SIGKILL before a round trip, or after it, before its reply."""
    step = _any_step(simulation, random)
    worker = _worker_of(simulation, step, random)
    if worker is None:
        return
    if step is not None and random.random() < 0.5:
        await simulation.perform(step)
    await simulation.crash(worker)
    simulation.follow_up(random.randint(0, 60), "its leases run out", lambda: simulation.expire(worker))
    simulation.follow_up(random.randint(0, 80), "it is replaced", simulation.add_worker)


async def freeze(simulation: Simulation, random: Random) -> None:
    """SIGSTOP before a round trip, or after it; the lease may or may not run out before SIGCONT."""
    step = _any_step(simulation, random)
    worker = _worker_of(simulation, step, random)
    if worker is None:
        return
    if step is not None and random.random() < 0.5:
        await simulation.perform(step)
    simulation.freeze(worker)
    for_long = random.random() < 0.8
    if for_long:
        simulation.follow_up(random.randint(0, 30), "its leases run out", lambda: simulation.expire(worker))
        if random.random() < 0.3:
            simulation.follow_up(random.randint(5, 40), "its sessions end", lambda: simulation.end_sessions(worker))
    simulation.follow_up(random.randint(5, 120), "it wakes", lambda: simulation.wake(worker))


async def lose_request(simulation: Simulation, random: Random) -> None:
    """The connection ends before the server has read the request."""
    step = _any_step(simulation, random)
    if step is not None and step.server != "vendor":
        await simulation.lose(step, performed=False)


async def lose_reply(simulation: Simulation, random: Random) -> None:
    """The server has done it, and the worker never hears of it."""
    step = _any_step(simulation, random)
    if step is not None and step.server != "vendor":
        await simulation.lose(step, performed=True)


async def mute_redis(simulation: Simulation, random: Random) -> None:
    """Redis does not answer one worker for most of a lease: what it does is told to stop."""
    step = _step_with_work(simulation, random)
    worker = _worker_of(simulation, step, random)
    if worker is not None:
        worker.keeper.mute()


async def pass_deadline(simulation: Simulation, random: Random) -> None:
    """The work takes too long."""
    held = [(worker, entry_id) for worker in simulation.moving() for entry_id in worker.keeper.held]
    if held:
        worker, entry_id = random.choice(held)
        if worker.keeper.pass_deadline(entry_id):
            simulation.excuse(entry_id)


async def stop(simulation: Simulation, random: Random) -> None:
    """SIGTERM."""
    step = _step_with_work(simulation, random)
    worker = _worker_of(simulation, step, random)
    if worker is not None:
        worker.stop()
        simulation.follow_up(random.randint(0, 30), "it is replaced", simulation.add_worker)


async def duplicate(simulation: Simulation, random: Random) -> None:
    """A message comes once more: of work that waits, is being done, or was done long ago."""
    if simulation.seen:
        fields = random.choice(simulation.seen)
        for _ in range(random.choice((1, 1, 1, 2))):
            await simulation.redis.xadd(keys.TASKS.name, dict(fields))


async def ask(simulation: Simulation, random: Random) -> None:
    """A person asks for work."""
    fields = {"task": random.choice(("cycle", "ohlc_daily", "volume_slots"))}
    if random.random() < 0.7:
        fields["trading_day"] = random.choice((str(DAY), str(DAY), "2025-11-10"))
    await simulation.redis.xadd(keys.TASKS.name, dict(fields))


async def ask_nonsense(simulation: Simulation, random: Random) -> None:
    """A message that nobody can read."""
    nonsense = random.choice((
        {"task": "no_such_task"}, {"tusk": "cycle"}, {"task": "cycle", "trading_day": "yesterday"},
        {"task": "ohlc_daily", "part": "rows:0"}, {"task": "ohlc_daily", "cycle": "999", "part": "rows:0"},
        {b"\xff\xfe": b"\xff"}, {"task": "cycle", "attempt": "-3"},
        {"task": "cycle"} | {f"field_{number}": "" for number in range(120)},
    ))  # fmt: skip
    entry_id = await simulation.redis.xadd(keys.TASKS.name, nonsense)
    simulation.nonsense.add(str(entry_id))


async def ask_by_rule(simulation: Simulation, random: Random) -> None:
    """The session event comes once more, as from another replica."""
    stream = TaskStream(simulation.redis, simulation.redis, consumer="events", lease=LEASE)
    await stream.enqueue([RULE_MESSAGE])


async def cancel_day(simulation: Simulation, random: Random) -> None:
    """A person cancels the day, step by step beside all that goes on."""
    operator = simulation.operator
    stream = TaskStream(
        *(GatedRedis(operator, simulation.redis, simulation.script_names),) * 2, consumer="operator", lease=LEASE
    )

    async def cancel() -> None:
        called_off = await calling_off.cancel_day(
            simulation.operator_pool, DAY, by="a person", reason=None, now=simulation.world.now()
        )
        await calling_off.withdraw(stream, called_off)

    operator.spawn(cancel())


async def let_time_pass(simulation: Simulation, random: Random) -> None:
    await simulation.advance(random.choice((0.2, 1.0, 3.0, 10.0, 35.0)))


async def skew_clock(simulation: Simulation, random: Random) -> None:
    """A worker's clock jumps."""
    moving = simulation.moving()
    if moving:
        simulation.skew(random.choice(moving), random.choice((-3600.0, -30.0, -2.0, 2.0, 30.0, 600.0)))


async def move_by_hand(simulation: Simulation, random: Random) -> None:
    """Somebody takes a message out and appends it again."""
    if simulation.state.entries:
        entry_id = random.choice(sorted(simulation.state.entries))
        await simulation.redis.xdel(keys.TASKS.name, entry_id)
        await simulation.redis.xadd(keys.TASKS.name, dict(simulation.state.entries[entry_id]))


async def delete_by_hand(simulation: Simulation, random: Random) -> None:
    """Somebody deletes a message, or a trim does."""
    if simulation.state.entries:
        await simulation.redis.xdel(keys.TASKS.name, random.choice(sorted(simulation.state.entries)))


async def lose_group(simulation: Simulation, random: Random) -> None:
    """XGROUP DESTROY: what was handed out is not remembered."""
    await simulation.redis.xgroup_destroy(keys.TASKS.name, keys.GROUP)


async def flush(simulation: Simulation, random: Random) -> None:
    """FLUSHALL; mostly by a restart, which forgets the scripts as well."""
    await simulation.redis.flushall()
    if random.random() < 0.7:
        await simulation.redis.script_flush()


async def roll_back(simulation: Simulation, random: Random) -> None:
    """Redis comes back as it was some steps ago."""
    saved = await _dump(simulation.redis)

    async def restore() -> None:
        await simulation.redis.flushall()
        await simulation.redis.script_flush()
        for key, value in saved:
            await simulation.redis.execute_command("RESTORE", key, 0, value)
        await simulation.refresh("rollback")

    simulation.follow_up(random.randint(1, 120), "redis is as it was then", restore)


async def _dump(redis: Any) -> list[tuple[str, bytes]]:
    found = [(key, await redis.execute_command("DUMP", key, NEVER_DECODE=True)) for key in DELIVERY_KEYS]
    return [(key, value) for key, value in found if value is not None]


async def forget_scripts(simulation: Simulation, random: Random) -> None:
    await simulation.redis.script_flush()


LOST = RedisUnreachable("connection lost")
# Only the reconciler brings back what these take away.
NEEDS_CATCH_UP = {"delete_by_hand", "flush", "roll_back"}
BY_HAND = {*NEEDS_CATCH_UP, "move_by_hand", "lose_group"}
KINDS: dict[str, tuple[float, Callable[[Simulation, Random], Awaitable[None]]]] = {
    "crash": (6, crash),
    "freeze": (7, freeze),
    "lose_request": (2, lose_request),
    "lose_reply": (3, lose_reply),
    "mute_redis": (1, mute_redis),
    "pass_deadline": (1, pass_deadline),
    "stop": (1.5, stop),
    "duplicate": (3, duplicate),
    "ask": (1.5, ask),
    "ask_nonsense": (1, ask_nonsense),
    "ask_by_rule": (0.7, ask_by_rule),
    "cancel_day": (0.4, cancel_day),
    "let_time_pass": (2, let_time_pass),
    "skew_clock": (0.7, skew_clock),
    "move_by_hand": (0.5, move_by_hand),
    "delete_by_hand": (0.4, delete_by_hand),
    "lose_group": (0.5, lose_group),
    "flush": (0.5, flush),
    "roll_back": (1, roll_back),
    "forget_scripts": (0.4, forget_scripts),
}
