"""Proves that a consumer which starts while a server comes and goes waits for it instead of ending with a traceback."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools

import asyncpg
import pytest
import redis.exceptions

from consumer.checks import start_up
from consumer.checks.start_up import StartRefused, through_restarts
from consumer.postgres.pool import DatabaseUnreachable, open_pool


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_up, "FIRST_WAIT_S", 0.001)


class Step:
    """Fails with each of *failures*, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken = 0

    async def __call__(self) -> str:
        self.taken += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.mark.parametrize(
    "away",
    [
        DatabaseUnreachable("BrokenPipeError: gone while it was asked"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.CannotConnectNowError("the database system is in recovery mode"),
        redis.exceptions.ConnectionError("connection refused"),
        redis.exceptions.BusyLoadingError("loading the dataset"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_server_that_goes_away_between_two_steps_of_the_start_is_waited_for(away: Exception) -> None:
    step = Step(away, away)
    assert await through_restarts(step) == "done"
    assert step.taken == 3


@pytest.mark.parametrize(
    "refused", [StartRefused([]), asyncpg.UndefinedTableError("no such table")], ids=lambda one: type(one).__name__
)
async def test_what_no_waiting_cures_ends_the_start_at_once(refused: Exception) -> None:
    step = Step(refused)
    with pytest.raises(type(refused)):
        await through_restarts(step)
    assert step.taken == 1


@pytest.mark.parametrize(
    ("refusal", "cure"),
    [
        (redis.exceptions.AuthenticationError("wrong password"), "correct REDIS_URL"),
        (redis.exceptions.NoPermissionError("no permissions to run the 'ping' command"), "ACL SETUSER"),
        (asyncpg.InvalidPasswordError("password authentication failed"), "correct user and password in DATABASE_URL"),
        (asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"), "pg_hba.conf"),
        (asyncpg.InvalidCatalogNameError('database "x" does not exist'), "CREATE DATABASE"),
        (asyncpg.InsufficientPrivilegeError("permission denied for schema"), "owner of its database"),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_a_server_that_refuses_us_ends_the_start_at_once_with_the_cure(refusal: Exception, cure: str) -> None:
    step = Step(refusal)
    with pytest.raises(StartRefused) as ended:
        await through_restarts(step)
    assert cure in str(ended.value)
    assert step.taken == 1


async def test_a_redis_that_is_loading_is_not_judged_before_it_is_ready() -> None:
    """INFO answers while the server reads its files; the work that would follow does not."""

    class Loading:
        def __init__(self) -> None:
            self.ping = Step(redis.exceptions.BusyLoadingError("loading"), redis.exceptions.BusyLoadingError("loading"))

        async def info(self, section: str) -> dict[str, object]:
            return {"redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction", "loading": 1}

    loading = Loading()
    await through_restarts(lambda: start_up.refuse_unfit_redis(loading, allow_eviction=False))  # type: ignore[arg-type]
    assert loading.ping.taken == 3


@pytest.mark.parametrize("asked", ["sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslmode=sometimes"])
async def test_an_address_that_no_server_can_cure_is_refused_and_not_waited_for(asked: str) -> None:
    opening = functools.partial(
        open_pool, f"postgresql://anybody@127.0.0.1:1/data?{asked}", lease=dt.timedelta(seconds=10), size=1
    )
    with pytest.raises(StartRefused, match="correct DATABASE_URL") as refused:
        await asyncio.wait_for(through_restarts(opening), 30)
    assert asked.split("=")[-1] in str(refused.value) or "sslmode" in str(refused.value)
