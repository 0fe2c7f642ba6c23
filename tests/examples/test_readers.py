"""The examples that follow, read and ask do what they say, beside a consumer that works."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cycle.conftest import clock, market, postgres_dsn, stack
from tests.cycle.stack import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]
EXAMPLES = Path(__file__).parents[2] / "examples"
ENDS_WITHIN_S = 60.0


async def start(*words: str, environment: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *words, env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(ENDS_WITHIN_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_who_follows_completion_hears_of_a_session_when_it_is_final(stack: Stack, redis_url: str) -> None:
    follower = await start(sys.executable, str(EXAMPLES / "follow_completion.py"), redis_url, "--once")
    try:
        await stack.run_cycle()
        code, told, log = await ended(follower)
    finally:
        if follower.returncode is None:
            follower.kill()
    assert (code, log) == (0, "")
    assert told.splitlines()[-1] == f"{DAY} final"


async def test_what_is_usual_at_ten_is_read_as_the_cache_has_it_and_what_is_unknown_is_no_zero(
    stack: Stack, redis_url: str
) -> None:
    await stack.run_cycle()
    reader = str(EXAMPLES / "read_rvol.py")
    usual = int(await stack.redis.hget("rvol:hist:avg:AAPL:5", "72"))
    code, told, _ = await ended(await start(sys.executable, reader, redis_url, "AAPL", "10:00", str(usual * 3)))
    assert (code, told.splitlines()) == (
        0, [f"AAPL until 10:00 (slot 72): {usual} shares, the mean of 5 sessions", "relative volume: 3.00"],
    )  # fmt: skip
    code, told, log = await ended(await start(sys.executable, reader, redis_url, "NOSUCH", "10:00"))
    assert (code, told, log.strip()) == (3, "", "NOSUCH at 10:00: unknown, no session has observed it")
    code, _, log = await ended(await start(sys.executable, reader, redis_url, "AAPL", "03:59"))
    assert (code, log.splitlines()[0]) == (1, "03:59 is not between 04:00 and 20:00 in New York")


async def test_cron_asks_once_and_hands_on_what_the_data_are(tmp_path: Path) -> None:
    """By a command in the place of ours: what it is asked, and whose exit code cron sees."""
    asked = tmp_path / "asked"
    stand_in = tmp_path / "maintenance"
    stand_in.write_text(f'#!/bin/sh\necho "$*" >> {asked}\n[ "$1" = status ] && exit 3\nexit 0\n', "utf-8")
    stand_in.chmod(0o755)
    script = str(EXAMPLES / "trigger_from_cron.sh")
    code, _, _ = await ended(await start(script, environment={"MAINTENANCE": str(stand_in)}))
    assert (code, asked.read_text("utf-8").splitlines()) == (3, ["trigger --wait", "status"])


def test_the_words_of_the_examples_are_ours() -> None:
    """A key or a verb that was renamed is noticed here."""
    schema = json.dumps([(EXAMPLES / name).read_text("utf-8") for name in ("follow_completion.py", "read_rvol.py")])
    for key in ("maintenance:events", "maintenance:last_run", "maintenance:last_final", "rvol:hist:sessions:5"):
        assert key in schema
