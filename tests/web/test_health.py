"""/health: an answer within three seconds whatever the servers do, and the truth about a worker's sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

from consumer.postgres import silence
from consumer.postgres.pool import open_pool
from consumer.web import health
from consumer.web.health import Health
from consumer.web.silence import silence_publisher
from contract import keys
from tests.outages.wire import State, wire_before
from tests.postgres.test_silent_sessions import AT_ONCE, LEASE

if TYPE_CHECKING:
    import pytest
    from redis.asyncio import Redis

    from consumer.postgres.silence import Silence


async def test_an_unreachable_postgres_is_told_within_the_patience_and_redis_beside_it(
    postgres_dsn: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wire_before(postgres_dsn) as (wire, dsn):
        async with await open_pool(dsn, lease=LEASE, size=2) as pool:
            both = Health(pool, redis)
            assert all(check.connected for check in (await both.look()).values())
            await wire.be(State.SILENT)
            monkeypatch.setattr(health, "PATIENCE_S", 1.0)  # Redis has to answer in it, on a busy machine too
            async with asyncio.timeout(AT_ONCE):
                first, *others = await asyncio.gather(*(both.look() for _ in range(9)))
            assert (first["postgresql"].connected, first["redis"].connected) == (False, True)
            assert first["postgresql"].error == "no answer within 1 s"
            assert not any(other["postgresql"].connected for other in others)
            assert pool.get_size() == 1, "one question, however many ask"


async def test_a_redis_that_does_not_answer_keeps_nobody_waiting(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.5)

    class Mute:
        async def execute_command(self, *_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        def register_script(self, _: str) -> Any:
            return self.execute_command

        def pipeline(self, **_: Any) -> Any:
            pipeline = MagicMock()
            pipeline.execute = self.execute_command
            return pipeline

    async with await open_pool(postgres_dsn, lease=LEASE, size=2) as pool:
        async with asyncio.timeout(AT_ONCE):
            asked = Health(pool, Mute())  # type: ignore[arg-type]
            checks = await asked.look()
            await asked.close()
    assert (checks["postgresql"].connected, checks["redis"].connected) == (True, False)


async def test_health_is_not_ok_while_a_worker_of_another_process_has_found_its_sessions_silent(
    postgres_dsn: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_EVERY_S", "ASK_AFTER_S", "AWAY_AFTER_S"):
        monkeypatch.setattr(silence, name, getattr(silence, name) / 50)
    noted = asyncio.Event()
    publish = silence_publisher(redis, "worker-1")

    async def told(silence: Silence) -> None:
        await publish(silence)
        noted.set()

    async with wire_before(postgres_dsn) as (wire, dsn), await open_pool(postgres_dsn, lease=LEASE) as own:
        async with await open_pool(dsn, lease=LEASE, on_silence=told) as workers:
            served = Health(own, redis)
            assert (await served.look())["postgresql"].connected
            await wire.be(State.BLACK_HOLE)
            work = asyncio.create_task(workers.fetchval("SELECT 1"))
            async with asyncio.timeout(AT_ONCE):
                await noted.wait()
            found = (await served.look())["postgresql"]
            assert (found.connected, "worker-1" in str(found.error)) == (False, True)
            await asyncio.wait({work})
            assert not isinstance(work.exception(), asyncio.CancelledError)
    assert 0 < await redis.ttl(keys.SILENT.pattern) <= 60
    await redis.delete(keys.SILENT.pattern)  # as its expiry does
    async with await open_pool(postgres_dsn, lease=LEASE) as own:
        assert (await Health(own, redis).look())["postgresql"].connected
