"""No error of a server ends a loop that is meant to go on for ever; a defect of ours does, so that it is seen."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from loguru import logger
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.cycle import catch_up
from consumer.cycle.catch_up import CatchUp
from consumer.cycle.session_events import SessionEvents
from consumer.cycle.stores import Stores
from consumer.postgres.pool import Client, DatabaseUnreachable, open_pool
from tests.cycle.stack import SCHEDULE
from tests.looking import IN_PUBLIC

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SERVER_ERRORS = [
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.DiskFullError("could not extend file"),
    asyncpg.InsufficientPrivilegeError("permission denied for table cycle"),
    asyncpg.UndefinedTableError('relation "cycle" does not exist'),
    asyncpg.NumericValueOutOfRangeError("integer out of range"),
    asyncpg.UniqueViolationError("duplicate key value"),
    asyncpg.InternalServerError("cache lookup failed"),
    asyncpg.IndexCorruptedError("index is corrupted"),
    asyncpg.InterfaceError("connection is closed"),
    DatabaseUnreachable("no answer within 10 s"),
    RedisUnreachable("refused"),
]
by_name = pytest.mark.parametrize("error", SERVER_ERRORS, ids=lambda error: type(error).__name__)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    found: list[Any] = []
    number = logger.add(lambda message: found.append(message.record), level="INFO")
    yield found
    logger.remove(number)


class Failing:
    """A step of a loop that fails with *error* each time but the last, which is awaited."""

    def __init__(self, error: Exception, times: int = 2) -> None:
        self.error, self.left = error, times
        self.went_well = asyncio.Event()

    async def __call__(self) -> int:
        if self.left:
            self.left -= 1
            raise self.error
        self.went_well.set()
        await asyncio.sleep(0)
        return 0


NONE: Any = None
NOTHING = Stores(pool=NONE, redis=NONE, stream=NONE)


def loop_of(which: str, step: Failing, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[None]]:
    monkeypatch.setattr("process.trouble.FIRST_PAUSE_S", 0.0)
    nothing: Any = None
    if which == "catch-up":
        monkeypatch.setattr(catch_up, "AT_MOST_EVERY_S", 0.0)
        looking = CatchUp(NOTHING, SCHEDULE, nothing, now=lambda: dt.datetime.now(dt.UTC))
        monkeypatch.setattr(looking, "look", step)
        return looking.run
    events = SessionEvents(NOTHING, SCHEDULE, now=nothing)

    async def ready() -> None: ...

    monkeypatch.setattr(events, "_ensure_group", ready)
    monkeypatch.setattr(events, "_leave", ready)
    monkeypatch.setattr(events, "_read_once", step)
    return events.run


@by_name
@pytest.mark.parametrize("which", ["catch-up", "session events"])
async def test_whatever_a_server_says_the_loop_goes_on_and_tells_it_once(
    which: str, error: Exception, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Failing(error)
    loop = asyncio.ensure_future(loop_of(which, step, monkeypatch)())
    try:
        async with asyncio.timeout(10):
            await step.went_well.wait()
        assert not loop.done()
    finally:
        loop.cancel()
        await asyncio.wait({loop})
    told = [line for line in lines if line["level"].name in ("WARNING", "ERROR")]
    assert len(told) == 1
    assert str(error) in told[0]["extra"]["reason"]
    assert (told[0]["level"].name == "ERROR") == (told[0]["exception"] is not None)


@pytest.mark.parametrize("which", ["catch-up", "session events"])
async def test_a_defect_of_ours_ends_the_loop_and_with_it_the_process(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError, match="defect"):
        await loop_of(which, Failing(TypeError("a defect")), monkeypatch)()


async def test_a_lock_that_somebody_holds_for_longer_than_the_bound_postpones_the_catch_up(
    postgres_dsn: str, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing: a statement of the catch-up waits for a table that an operator has locked."""
    async with await open_pool(
        postgres_dsn, lease=dt.timedelta(seconds=2), size=2, client=Client(schemas=IN_PUBLIC)
    ) as pool:
        await pool.execute("CREATE TABLE locked ()")
        nothing: Any = None
        looking = CatchUp(NOTHING, SCHEDULE, nothing, now=lambda: dt.datetime.now(dt.UTC))
        postponed = asyncio.Event()
        number = logger.add(lambda _: postponed.set(), level="WARNING")

        async def look() -> int:
            return len(await pool.fetch("SELECT * FROM locked"))

        monkeypatch.setattr(looking, "look", look)
        operator = await asyncpg.connect(postgres_dsn)  # ours may not leave a transaction open for so long
        async with operator.transaction():
            await operator.execute("LOCK TABLE locked")
            loop = asyncio.ensure_future(looking.run())
            await postponed.wait()
            assert not loop.done()
        await operator.close()
        logger.remove(number)
        loop.cancel()
        await asyncio.wait({loop})
    assert "LockNotAvailableError" in lines[0]["extra"]["reason"]
