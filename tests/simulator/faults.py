"""The faults of a seed: drawn beforehand, each with randomness of its own, so that one can be left out alone."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.cycle import calling_off
from consumer.delivery.task_stream import Outgoing, TaskStream, readable
from producers import keys
from tests.simulator.gated_redis import GatedRedis
from tests.simulator.gates import Phase
from tests.simulator.virtual_worker import DAY, LEASE, RULE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.simulator.gates import Step
    from tests.simulator.stage import Stage
    from tests.simulator.virtual_worker import VirtualWorker

DELIVERY_KEYS = (
    keys.TASKS.name, keys.LATER.pattern, keys.LATER_MESSAGES.pattern, keys.QUEUED.pattern, keys.DEAD.name,
    keys.FENCE.pattern,
)  # fmt: skip

RULE_MESSAGE = Outgoing(
    fields={"task": "cycle", "trading_day": str(DAY), "rule": RULE, "requested_by": "event"}, key=f"{DAY}/{RULE}"
)


# A fault that aims at a step of this name waits so many steps for one.
PATIENCE = 40
_WORK = (("vendor", ""), ("begin", ""), ("take_part UPDATE", ""), ("fenced_write SELECT", ""), ("write INSERT", ""))
_ENDS = (("settle", ""), ("COMMIT", ""), ("settle", '"fields"'), ("enqueue", ""))
AIMS = {
    "crash": (*_ENDS, *_ENDS, *_WORK, ("XREADGROUP", "")),
    "freeze": (*_WORK, *_WORK, *_ENDS, ("XREADGROUP", "")),
    "slow_down": (("COMMIT", ""), ("COMMIT", ""), *_ENDS, *_WORK),
    "lose_request": (*_ENDS, *_WORK, ("XREADGROUP", ""), ("claim", "")),
    "lose_reply": (*_ENDS, *_WORK, ("XREADGROUP", ""), ("claim", "")),
    "mute_redis": _WORK,
    "stop": (*_ENDS, *_WORK),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """*kind* happens at the first chance from step *at* on; *aim*: to a process that is about to do this."""

    number: int
    at: int
    kind: str
    aim: tuple[str, str]  # parts of the step's name and of its detail
    seed: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which faults happen: none of the numbers in *without*, and *only* these kinds where any are named."""

    without: frozenset[int] = frozenset()
    only: tuple[str, ...] = ()


EVERYTHING = Choice()


def draw_faults(seed: int, *, parts: int, may_lose: bool, only: Sequence[str] = ()) -> list[Fault]:
    """The faults of *seed*, in the order of their time; *may_lose*: also such as take messages out of Redis."""
    random = Random(f"{seed}/faults")
    possible = [kind for kind in only or KINDS if may_lose or kind not in NEEDS_CATCH_UP]
    kinds = random.choices(possible, [KINDS[kind][0] for kind in possible], k=random.randint(6, 20))
    steps = sorted(random.randint(5, 20 + 13 * parts) for _ in kinds)
    return [
        Fault(
            number=number, at=at, kind=kind, seed=f"{seed}/{number}",
            aim=random.choice(AIMS[kind]) if kind in AIMS and random.random() < 0.85 else ("", ""),
        )
        for number, (at, kind) in enumerate(zip(steps, kinds, strict=True), start=1)
    ]  # fmt: skip


def target(stage: Stage, fault: Fault) -> Step | None:
    """The step that *fault* hits, if there is one of its kind; faults that aim at nothing take any."""
    random = Random(f"{fault.seed}/target/{stage.number}")
    steps = [step for worker in stage.moving() for step in worker.steps if step.phase is not Phase.OVER]
    work = [step for step in steps if not step.is_poll]
    name, detail = fault.aim
    aimed = [step for step in steps if name in step.name and detail in step.detail] if name else work or steps
    return random.choice(aimed) if aimed else None


async def inject(stage: Stage, fault: Fault, step: Step | None) -> None:
    _, act = KINDS[fault.kind]
    await act(stage, Random(fault.seed), step)


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


async def duplicate(stage: Stage, random: Random, step: Step | None) -> None:
    """A message comes once more: of work that waits, is being done, or was done long ago."""
    state = stage.watch.state
    here = [fields for i, fields in state.entries.items() if "part" in fields and i in state.pending]
    known = here if here and random.random() < 0.7 else stage.watch.messages
    if known:
        fields = random.choice(known)
        for _ in range(random.choice((1, 1, 1, 2))):
            await stage.redis.xadd(keys.TASKS.name, dict(fields))


async def ask(stage: Stage, random: Random, step: Step | None) -> None:
    """A person asks for work."""
    fields = {"task": random.choice(("cycle", "ohlc_daily", "volume_slots"))}
    if random.random() < 0.7:
        fields["trading_day"] = random.choice((str(DAY), str(DAY), "2025-11-10"))
    await stage.redis.xadd(keys.TASKS.name, dict(fields))


async def ask_nonsense(stage: Stage, random: Random, step: Step | None) -> None:
    """A message that nobody can read."""
    nonsense: dict[Any, Any] = random.choice((
        {"task": "no_such_task"}, {"tusk": "cycle"}, {"task": "cycle", "trading_day": "yesterday"},
        {"task": "ohlc_daily", "part": "rows:0"}, {"task": "ohlc_daily", "cycle": "999", "part": "rows:0"},
        {b"\xff\xfe": b"\xff"}, {"task": "cycle", "attempt": "-3"},
        {"task": "cycle"} | {f"field_{number}": "" for number in range(120)},
    ))  # fmt: skip
    await stage.redis.xadd(keys.TASKS.name, nonsense)
    stage.nonsense.append({readable(name): readable(value) for name, value in nonsense.items()})


async def ask_by_rule(stage: Stage, random: Random, step: Step | None) -> None:
    """The session event comes once more, as from another replica."""
    stream = TaskStream(stage.redis, stage.redis, consumer="events", lease=LEASE)
    await stream.enqueue([RULE_MESSAGE])


async def cancel_day(stage: Stage, random: Random, step: Step | None) -> None:
    """A person cancels the day, step by step beside all that goes on."""
    operator = stage.operator
    stream = TaskStream(*(GatedRedis(operator, stage.redis, stage.script_names),) * 2, consumer="operator", lease=LEASE)

    async def cancel() -> None:
        called_off = await calling_off.cancel_day(
            stage.operator_pool, DAY, by="a person", reason=None, now=stage.world.now()
        )
        await calling_off.withdraw(stream, called_off)

    operator.spawn(cancel())


async def let_time_pass(stage: Stage, random: Random, step: Step | None) -> None:
    await stage.advance(random.choice((0.2, 1.0, 3.0, 10.0, 35.0)))


async def skew_clock(stage: Stage, random: Random, step: Step | None) -> None:
    """A worker's clock jumps."""
    moving = stage.moving()
    if moving:
        stage.skew(random.choice(moving), random.choice((-3600.0, -30.0, -2.0, 2.0, 30.0, 60.0)))


async def move_by_hand(stage: Stage, random: Random, step: Step | None) -> None:
    """Somebody takes a message out and appends it again."""
    if stage.watch.state.entries:
        entry_id = random.choice(sorted(stage.watch.state.entries))
        await stage.redis.xdel(keys.TASKS.name, entry_id)
        await stage.redis.xadd(keys.TASKS.name, dict(stage.watch.state.entries[entry_id]))


async def delete_by_hand(stage: Stage, random: Random, step: Step | None) -> None:
    """Somebody deletes a message, or a trim does."""
    if stage.watch.state.entries:
        await stage.redis.xdel(keys.TASKS.name, random.choice(sorted(stage.watch.state.entries)))


async def lose_group(stage: Stage, random: Random, step: Step | None) -> None:
    """XGROUP DESTROY: what was handed out is not remembered."""
    if await stage.redis.exists(keys.TASKS.name):
        await stage.redis.xgroup_destroy(keys.TASKS.name, keys.GROUP)


async def flush(stage: Stage, random: Random, step: Step | None) -> None:
    """FLUSHALL; mostly by a restart, which forgets the scripts as well."""
    await stage.redis.flushall()
    stage.watch.forgive_lost_fence()
    if random.random() < 0.7:
        await stage.redis.script_flush()


async def roll_back(stage: Stage, random: Random, step: Step | None) -> None:
    """Redis comes back as it was some steps ago."""
    saved = await _dump(stage.redis)

    async def restore() -> None:
        await stage.redis.flushall()
        await stage.redis.script_flush()
        for key, value in saved:
            await stage.redis.execute_command("RESTORE", key, 0, value)
        stage.watch.forgive_lost_fence()
        stage.watch.look()

    stage.follow_up(random.randint(1, 120), "redis is as it was then", restore)


async def _dump(redis: Any) -> list[tuple[str, bytes]]:
    found = [(key, await redis.execute_command("DUMP", key, NEVER_DECODE=True)) for key in DELIVERY_KEYS]
    return [(key, value) for key, value in found if value is not None]


async def forget_scripts(stage: Stage, random: Random, step: Step | None) -> None:
    await stage.redis.script_flush()


# Only the reconciler brings back what these take away.
NEEDS_CATCH_UP = {"delete_by_hand", "flush", "roll_back"}
BY_HAND = {*NEEDS_CATCH_UP, "move_by_hand", "lose_group"}
KINDS: dict[str, tuple[float, Callable[[Stage, Random, Step | None], Awaitable[None]]]] = {
    "crash": (10, crash),
    "freeze": (12, freeze),
    "slow_down": (8, slow_down),
    "lose_request": (2, lose_request),
    "lose_reply": (3, lose_reply),
    "mute_redis": (1, mute_redis),
    "pass_deadline": (1, pass_deadline),
    "stop": (1.5, stop),
    "duplicate": (5, duplicate),
    "ask": (1.5, ask),
    "ask_nonsense": (1, ask_nonsense),
    "ask_by_rule": (0.7, ask_by_rule),
    "cancel_day": (0.4, cancel_day),
    "let_time_pass": (2, let_time_pass),
    "skew_clock": (0.7, skew_clock),
    "move_by_hand": (0.5, move_by_hand),
    "delete_by_hand": (0.4, delete_by_hand),
    "lose_group": (0.5, lose_group),
    "flush": (2.5, flush),
    "roll_back": (3, roll_back),
    "forget_scripts": (0.4, forget_scripts),
}
