"""Gives a task what a part is given: real storage and caches, a scripted vendor, a clock that stands still."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import redis as redis_client

from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId
from consumer.tasks.part import PartContext, Services
from consumer.tasks.terms import TaskOptions
from market.data_source import VENDOR, DataSource, SourceKind
from market.schedule import Schedule, parse_rules
from market.trading_calendar import TradingCalendar
from tests.postgres.conftest import pool  # noqa: F401  (a fixture)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Pool
    from consumer.tasks.part import Handler

DAY = dt.date(2025, 11, 11)
NOW = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)  # 20:30 in New York
CALENDAR = TradingCalendar()


class ScriptedVendor:
    """Answers each question with what the test put there; an exception is raised, a callable is asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"recently_delisted": []}
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, question: str) -> Any:
        async def answer(*arguments: Any, **_options: Any) -> Any:
            self.asked.append((question, *arguments))
            found = self.answers[question]
            found = found(*arguments) if callable(found) else found
            if isinstance(found, Exception):
                raise found
            return found

        return answer


class Desk:
    """Runs one part after the other, as the cycle's runner does, but without ledger of parts."""

    def __init__(self, storage: Pool, cache: redis_client.Redis) -> None:
        self.pool = storage
        self.cache = cache
        self.vendor = ScriptedVendor()
        self.options = TaskOptions(ohlc_sessions=30, slot_sessions=5, batch=3)
        self.now = NOW
        self.flat_files: Any = None
        self.replays = False

    def context(
        self,
        payload: dict[str, Any] | None = None,
        *,
        day: dt.date = DAY,
        fence: int = 1,
        force: bool = False,
        part: str = "test",
    ) -> PartContext:
        services = Services(
            pool=self.pool, cache=self.cache, vendor=self.vendor, calendar=CALENDAR,  # type: ignore[arg-type]
            schedule=Schedule(CALENDAR, parse_rules("POST_MARKET+1h CLOSED+15m")), options=self.options,
            now=lambda: self.now, flat_files=self.flat_files,
            source=DataSource(kind=SourceKind.REPLAY, identity="folder") if self.replays else VENDOR,
        )  # fmt: skip
        cycle = Cycle(
            cycle_id=1, trading_day=day, occasion="test", scheduled=True, due_at=self.now, requested_by="test",
            tasks=(), force=force, state="running", run_pass=1, opened_at=self.now, pass_started_at=self.now,
            finished_at=None, next_pass_at=None, give_up_at=self.now, reason=None, missing=(), warnings=(),
        )  # fmt: skip
        return PartContext(services, cycle, PartId(cycle_id=1, task="test", part=part), payload or {}, fence)

    async def run(self, handler: Handler, payload: dict[str, Any] | None = None, **context: Any) -> PartReport:
        write = await handler(self.context(payload, **context))
        async with self.pool.acquire() as connection, connection.transaction():
            return await write(connection)

    async def cover(self, *data_sets: str, day: dt.date = DAY) -> None:
        """State that *data_sets* are there: what a part asks before it computes from them."""
        await self.pool.executemany(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) VALUES ($1, $2, 1, $3, 1)",
            [(data_set, day, self.now) for data_set in data_sets],
        )


@pytest.fixture
def cache(redis_url: str) -> Iterator[redis_client.Redis]:
    with redis_client.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def desk(pool: Pool, cache: redis_client.Redis) -> Desk:  # noqa: F811  (the fixture)
    return Desk(pool, cache)
