"""What people, other replicas and failures of Redis do to the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.cycle import calling_off
from consumer.delivery.entries import Outgoing
from consumer.delivery.redis_scripts import readable
from consumer.maintenance_channel import task_stream
from consumer.postgres.decisions import Decision
from contract import keys
from tests.simulator.gated_redis import GatedRedis
from tests.simulator.virtual_worker import DAY, LEASE, RULE

if TYPE_CHECKING:
    from random import Random

    from tests.simulator.gates import Step
    from tests.simulator.stage import Stage

RULE_MESSAGE = Outgoing(
    fields={"task": "cycle", "trading_day": str(DAY), "rule": RULE, "requested_by": "event"}, key=f"{DAY}/{RULE}"
)


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
    """A person asks for work; now and then for a past that waits whenever the day's own work comes."""
    if random.random() < 0.2 and stage.catches_up:  # which is who lets it go on
        task = random.choice(("cycle", "ohlc_daily", "volume_slots"))
        await stage.redis.xadd(keys.TASKS.name, {"task": task, "first_day": "2025-11-03", "trading_day": "2025-11-10"})
        return
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
    entry_id = await stage.redis.xadd(keys.TASKS.name, nonsense)
    stage.nonsense[entry_id] = {readable(name): readable(value) for name, value in nonsense.items()}


async def ask_by_rule(stage: Stage, random: Random, step: Step | None) -> None:
    """The session event comes once more, as from another replica."""
    stream = task_stream(stage.redis, stage.redis, consumer="events", lease=LEASE)
    await stream.enqueue([RULE_MESSAGE])


async def cancel_day(stage: Stage, random: Random, step: Step | None) -> None:
    """A person cancels the day, step by step beside all that goes on."""
    operator = stage.operator
    client = GatedRedis(operator, stage.redis, stage.script_names)
    stream = task_stream(client, client, consumer="operator", lease=LEASE)

    async def cancel() -> None:
        decision = Decision(by="a person", at=stage.world.now())
        called_off = await calling_off.cancel_day(stage.operator_pool, DAY, decision)
        await calling_off.withdraw(stream, called_off)

    operator.spawn(cancel())


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
        stage.figures["redis rolled back"] += 1
        stage.watch.forgive_lost_fence()
        stage.watch.look()

    stage.follow_up(random.randint(1, 120), "redis is as it was then", restore)


async def _dump(redis: Any) -> list[tuple[str, bytes]]:
    found = [(key, await redis.execute_command("DUMP", key, NEVER_DECODE=True)) for key in sorted(await redis.keys())]
    return [(key, value) for key, value in found if value is not None]


async def forget_scripts(stage: Stage, random: Random, step: Step | None) -> None:
    await stage.redis.script_flush()
