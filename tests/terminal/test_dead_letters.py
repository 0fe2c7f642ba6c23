"""The verbs `dead-letters` and `cancel` as a person at a terminal has them."""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import dead_letters
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from contract import keys
from contract.reports import DeadLetter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from tests.terminal.conftest import Run

    Maintenance = Callable[..., Awaitable[tuple[int, str, str]]]

NOW = dt.datetime(2025, 11, 11, 22, 0, tzinfo=dt.UTC)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(postgres_dsn, lease=dt.timedelta(seconds=10), size=2) as opened:
        await migrate(opened)
        yield opened


@pytest.fixture
def maintenance(run: Run) -> Maintenance:
    """Runs `maintenance …`; returns exit code, output and errors."""
    return functools.partial(run, "consumer.terminal", COLUMNS="160")


async def letter(pool: Pool, number: int, reason: str, **fields: str) -> None:
    record = DeadLetter(
        stream=keys.TASKS.name, entry_id=f"{number}-0", reason=reason, deliveries=1, at=NOW, fields=fields
    )
    await dead_letters.keep(pool, record)


async def test_a_flood_of_one_cause_takes_three_lines_and_a_count(pool: Pool, maintenance: Maintenance) -> None:
    for number in range(1, 13):
        await letter(pool, number, f"task 'x{number}' is unknown: one of cycle", task=f"x{number}")
    code, out, _ = await maintenance("dead-letters", "list")
    assert code == 3
    assert out.count("is unknown") == 3
    assert "and 9 more of cause" in out


async def test_the_list_as_json_holds_every_field(pool: Pool, maintenance: Maintenance) -> None:
    await letter(pool, 1, "no such task", task="x")
    _, out, _ = await maintenance("dead-letters", "list", "--json")
    (row,) = json.loads(out)
    known = {"entry_id": "1-0", "reason": "no such task", "state": "open", "fields": {"task": "x"}, "settled_by": None}
    assert row.items() >= known.items()


async def test_a_letter_is_replayed_with_a_correction_and_only_once(
    pool: Pool, maintenance: Maintenance, redis: Redis
) -> None:
    await letter(pool, 1, "task 'slots' is unknown", task="slots", trading_day="2025-11-11")

    code, _, err = await maintenance("dead-letters", "replay", "1")
    assert (code, "--set" in err) == (2, True)
    code, out, _ = await maintenance("dead-letters", "replay", "1", "--set", "task=volume_slots", "--dry-run")
    assert (code, "would be sent" in out, await redis.xlen(keys.TASKS.name)) == (0, True, 0)
    code, out, _ = await maintenance(
        "dead-letters", "replay", "--all", "--set", "task=volume_slots", "--by", "ann", "--reason", "typo"
    )
    assert code == 0
    ((_, fields),) = await redis.xrange(keys.TASKS.name)
    assert (fields["task"], fields["trading_day"]) == ("volume_slots", "2025-11-11")
    code, _, err = await maintenance("dead-letters", "replay", "1", "--set", "task=volume_slots")
    assert (code, await redis.xlen(keys.TASKS.name)) == (3, 1)
    code, out, _ = await maintenance("dead-letters", "list", "--all")
    assert code == 0
    assert "replayed" in out
    assert "by ann: typo" in out


async def test_dropping_needs_a_selection_and_a_reason(pool: Pool, maintenance: Maintenance) -> None:
    await letter(pool, 1, "no such task", task="x")
    assert (await maintenance("dead-letters", "drop", "--reason", "typo"))[0] == 2
    assert (await maintenance("dead-letters", "drop", "1"))[0] != 0
    assert await dead_letters.open_count(pool) == 1
    assert (await maintenance("dead-letters", "drop", "1", "--reason", "typo"))[0] == 0
    assert await dead_letters.open_count(pool) == 0


async def test_cancelling_names_what_it_ended_and_finds_nothing_the_second_time(
    pool: Pool, maintenance: Maintenance
) -> None:
    await pool.execute(
        "INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, "
        "pass_started_at, give_up_at) VALUES ('2025-11-11', 'POST_MARKET+1h', true, $1, 'test', '{ohlc_daily}', "
        "'running', $1, $1, $1)",
        NOW,
    )
    code, out, _ = await maintenance("cancel", "2025-11-11", "--reason", "wrong key", "--by", "ann")
    assert (code, out) == (0, "cycle 1 for 2025-11-11 (POST_MARKET+1h) cancelled\n")
    assert await pool.fetchval("SELECT reason FROM cycle") == "cancelled by ann: wrong key"
    code, _, err = await maintenance("cancel", "2025-11-11")
    assert (code, "nothing runs or waits" in err) == (3, True)


async def test_servers_that_do_not_answer_are_exit_4_with_the_cure(maintenance: Maintenance) -> None:
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
    code, _, err = await maintenance("dead-letters", "list", **nowhere)
    assert (code, "is `maintenance run` up" in err) == (4, True)
