"""`--follow` exports what a night changes once the service says so, waits for what is away, and ends when told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from redis.exceptions import ConnectionError as RedisAway

from consumer.export import following
from consumer.export.folder import Folder, put_in_place
from consumer.export.following import Follower
from consumer.export.outcome import Outcome
from consumer.export.place import PlaceAway
from consumer.postgres.errors import DatabaseUnreachable
from tests.cycle.stack import CALENDAR, DAY, Stack, new_york, until
from tests.export.conftest import WINDOWS, exporter_of, session

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator
    from pathlib import Path

    from consumer.export.outcome import Exported

NEXT_DAY = CALENDAR.session_after(DAY).day
BEFORE = CALENDAR.last_trading_days(3, up_to=DAY)[0]


@contextlib.asynccontextmanager
async def followed(stack: Stack, to: Path, *names: str) -> AsyncIterator[list[Exported]]:
    """Follow in this process until the block ends; gives what it says, as it grows."""
    place, stop, told = Folder(to), asyncio.Event(), list[Any]()
    exporter = exporter_of(stack, place, *names)
    await place.open(one.folder for one in exporter.sets)

    def days() -> tuple[dt.date, ...]:
        return CALENDAR.trading_days(BEFORE, CALENDAR.last_completed(stack.clock()))

    async def follow() -> None:
        async for one in Follower(exporter, stack.redis, stop, days).run():
            told.append(one)

    task = asyncio.create_task(follow())
    try:
        yield told
        assert not task.done() or task.exception() is None
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
        await place.close()


def written(told: list[Exported], day: dt.date) -> list[str | None]:
    return [one.state for one in told if one.trading_day == day and one.outcome is Outcome.WRITTEN]


async def comes(told: list[Exported], day: dt.date, *, times: int = 1) -> None:
    async def look() -> bool:
        return len(written(told, day)) >= times

    await until(look, what=f"export {times} of {day}")


@pytest.fixture(autouse=True)
def _only_events_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 3600.0)


async def test_a_night_is_exported_when_the_service_has_judged_it(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    async with followed(stack, to, "daily_bars") as told:
        await comes(told, DAY)
        stack.clock.at = new_york(NEXT_DAY, "17:00")
        await stack.run_cycle(NEXT_DAY)
        await comes(told, NEXT_DAY)
        stack.clock.at = new_york(NEXT_DAY, "20:30")
        await stack.run_cycle(NEXT_DAY)
        await comes(told, NEXT_DAY, times=2)
    assert written(told, NEXT_DAY)[0] == "provisional"
    assert written(told, NEXT_DAY)[-1] == "final"
    assert len(written(told, BEFORE)) == 1, "no night touched it"
    newest = pl.read_parquet(to / f"daily_bars/trading_date={NEXT_DAY}/part.parquet")
    assert newest.height == await stack.value("SELECT count(*) FROM daily_bar WHERE trading_date = $1", NEXT_DAY)


async def test_without_a_word_from_redis_it_looks_by_itself(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.05)
    async with followed(stack, to, "daily_bars") as told:
        await comes(told, DAY)

        async def away(*_: object, **__: object) -> Any:
            raise RedisAway("gone")

        monkeypatch.setattr(stack.redis, "xread", away)
        monkeypatch.setattr(stack.redis, "xrevrange", away)
        await stack.pool.execute("UPDATE daily_bar SET volume = volume + 1 WHERE trading_date = $1", DAY)
        await stack.pool.execute(
            "UPDATE coverage SET fetched_at = fetched_at + interval '1 second' WHERE trading_day = $1", DAY
        )
        await comes(told, DAY, times=2)


async def test_slots_that_the_weekly_sample_restates_are_exported_again(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.05)
    async with followed(stack, to, "volume_slots") as told:
        await comes(told, DAY)
        async with stack.pool.acquire() as connection, connection.transaction():  # as the sample does: no coverage
            await connection.execute(
                "UPDATE session_slots SET volumes[100] = volumes[100] + 1 "
                "WHERE trading_date = $1 AND outcome = 'traded'",
                DAY,
            )
            await connection.execute(
                "INSERT INTO restatement (data_set, trading_day, symbol, change, load_id, found_at) "
                "SELECT 'volume_slots', $1, 'AAPL', 'changed', max(load_id) + 1, now() FROM data_load",
                DAY,
            )
        await comes(told, DAY, times=2)


async def test_what_describes_the_present_is_exported_once_an_outage_of_it_is_over(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    monkeypatch.setattr(following, "_AGAIN_AFTER_S", 0.01)
    tail, tries = Folder.tail, 0

    async def away_at_first(self: Folder, key: str, size: int) -> bytes | None:
        nonlocal tries
        tries += key.startswith("universe/")
        if key.startswith("universe/") and tries == 1:
            raise PlaceAway("s3://x does not answer")
        return await tail(self, key, size)

    monkeypatch.setattr(Folder, "tail", away_at_first)
    async with followed(stack, to, "daily_bars", "universe") as told:

        async def universe() -> bool:
            return any(one.data_set == "universe" and one.outcome is Outcome.WRITTEN for one in told)

        await until(universe, within_s=20, what="the universe, which no session's change announces")
    assert tries == 2, "what has run through is not asked for again until something changes"


@pytest.mark.parametrize("error", [PlaceAway("s3://x does not answer"), DatabaseUnreachable("gone")])
async def test_what_is_away_is_waited_for_and_told_once(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]], error: Exception
) -> None:
    await stack.run_cycle()
    monkeypatch.setattr(following, "_AGAIN_AFTER_S", 0.01)
    tail, tries = Folder.tail, 0

    async def away_at_first(self: Folder, key: str, size: int) -> bytes | None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise error
        return await tail(self, key, size)

    monkeypatch.setattr(Folder, "tail", away_at_first)
    async with followed(stack, to, "daily_bars") as told:
        await comes(told, DAY)
    assert [line.get("event") for line in logged].count("export_waits") == 1


async def test_it_stops_after_the_file_that_it_is_at(stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await stack.run_cycle()
    place, stop, told = Folder(to), asyncio.Event(), list[Any]()
    loop = asyncio.get_running_loop()

    def told_to_stop(unfinished: Path, path: Path) -> None:
        loop.call_soon_threadsafe(stop.set)
        put_in_place(unfinished, path)

    monkeypatch.setattr("consumer.export.folder.put_in_place", told_to_stop)
    exporter = exporter_of(stack, place, "daily_bars")
    await place.open(["daily_bars"])
    follower = Follower(exporter, stack.redis, stop, lambda: CALENDAR.trading_days(BEFORE, DAY))
    async for one in follower.run():
        told.append(one)
    await place.close()
    assert [one.trading_day for one in told] == [BEFORE]
    assert len(list(to.rglob("*.parquet"))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_follows_until_a_signal_and_ends_with_0(
    served: Stack, postgres_dsn: str, redis_url: str, to: Path, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer.terminal", "export", "--from", session(1), "--data-set", "daily_bars",
        "--to-dir", str(to), "--follow", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **WINDOWS, "DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        lines = [await process.stdout.readline() for _ in range(2)]
        process.send_signal(number)
        rest, err = await process.communicate()
    assert (process.returncode, rest) == (0, b""), err
    assert all(b'"outcome":"written"' in line for line in lines)
    assert err.decode().splitlines()[-1] == "stopped"
