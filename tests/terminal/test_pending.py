"""The verb `pending`: what a person reads, what a program reads, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import PendingWork
from consumer.maintenance_channel import task_stream
from contract import keys
from tests.checks.test_pending_work import LEASE, part
from tests.delivery.consumers import let_lease_run_out, read_one

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.terminal.conftest import Run

AWAY = "postgresql://127.0.0.1:1/x"


async def test_pending_tells_who_holds_what_in_a_line_each_and_exits_3_once_nobody_does(run: Run, redis: Redis) -> None:
    code, out, err = await run("consumer.terminal", "pending")
    assert (code, out, err) == (0, "nothing is under way\n", "")

    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001"), part("batch:0002")])
    entry = await read_one(stream)
    code, out, _ = await run("consumer.terminal", "pending", DATABASE_URL=AWAY)
    assert code == 0, "it answers while PostgreSQL is away"
    summary, _, line = out.splitlines()
    assert summary == "1 held, 1 queued, 0 parked for later"
    assert line.split()[:5] == ["2025-11-11", "7", "volume_slots", "batch:0001", "worker-1"]
    assert line.split()[-3:] == ["s", "1/5", entry.entry_id]

    await let_lease_run_out(redis, entry.entry_id)
    code, out, _ = await run("consumer.terminal", "pending")
    assert (code, "is a consumer running?" in out) == (3, True)


async def test_pending_as_json_keeps_its_shape(run: Run, redis: Redis) -> None:
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001")])
    entry = await read_one(stream)
    code, out, _ = await run("consumer.terminal", "pending", "--json")
    assert code == 0
    found = json.loads(out)
    (held,) = found.pop("held")
    assert 0 <= held.pop("idle_seconds") < 600
    assert held == {
        "stream": "maintenance:tasks", "entry_id": entry.entry_id, "standing": "running", "holder": "worker-1",
        "lease_seconds": 10.0, "deliveries": 1, "max_deliveries": 5,
        "work": {
            "trading_day": "2025-11-11", "task": "volume_slots", "part": "batch:0001", "cycle": 7, "note": None,
                "version": None,
        },
    }  # fmt: skip
    assert found.pop("now").endswith("Z")
    assert found == {"held_in_all": 1, "queued": 0, "parked": [], "parked_in_all": 0}
    assert msgspec.json.decode(out, type=PendingWork).held[0].entry_id == entry.entry_id


async def test_markup_in_a_message_is_shown_and_not_obeyed(run: Run, redis: Redis) -> None:
    stream = task_stream(redis, redis, consumer="[red]me[/red]", lease=LEASE)
    await stream.ensure_group()
    await redis.xadd(keys.TASKS.name, {"task": "cycle", "part": "[bold][/nothing]", "cycle": "7"})
    await read_one(stream)
    code, out, err = await run("consumer.terminal", "pending")
    assert (code, err) == (0, "")
    assert "[bold][/nothing]" in out
    assert "[red]me[/red]" in out


async def test_pending_exits_4_when_redis_does_not_answer(run: Run) -> None:
    code, out, err = await run("consumer.terminal", "pending", REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, out) == (4, "")
    assert "REDIS_URL" in err
