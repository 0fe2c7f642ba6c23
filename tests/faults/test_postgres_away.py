"""PostgreSQL is away, full, read-only or out of connections: nobody spins, nothing is given up, the work goes on."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.postgres import silence
from tests.conftest import QUICK_AND_FORGETFUL, execute
from tests.cycle.stack import until
from tests.faults.outages import killed
from tests.faults.service import Watch, consumer_on, place_of
from tests.outages.wire import State, wire_before

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.embedded.redis_server import EmbeddedRedis
    from tests.cycle.stack import Market
    from tests.faults.service import Fingerprint, TickingClock

SLOTS = "volume_slots/slots"
DATABASE = "hurt"
CONNECTIONS = 30


@pytest.fixture
async def own_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may hurt."""
    with tempfile.TemporaryDirectory(prefix="dm-faults-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
        # Killed, it must know what it has committed.
        settings = {**QUICK_AND_FORGETFUL, "synchronous_commit": "on", "max_connections": str(CONNECTIONS)}
        server = EmbeddedPostgres(Path(folder), settings)
        await server.start()
        try:
            await execute(server.dsn, f"CREATE DATABASE {DATABASE} TEMPLATE template0")
            yield server
        finally:
            await server.stop()


@pytest.fixture
def dsn(own_postgres: EmbeddedPostgres) -> str:
    return own_postgres.dsn.replace("/postgres?", f"/{DATABASE}?", 1)


@contextlib.asynccontextmanager
async def amid_a_cycle(
    dsn: str, redis: EmbeddedRedis, market: Market, clock: TickingClock, **options: Any
) -> AsyncIterator[set[str]]:
    """A consumer in the middle of a cycle; gives what is in flight."""
    async with place_of(dsn, redis.url, market) as place:
        async with consumer_on(place, clock, **options):
            yield await place.in_the_middle_of(SLOTS)


async def ends_as_if_nothing_had_been(
    dsn: str, redis: EmbeddedRedis, market: Market, undisturbed: Fingerprint, in_flight: set[str]
) -> None:
    async with place_of(dsn, redis.url, market) as place:
        await place.complete()
        await place.at_rest()
        assert await place.fingerprint() == undisturbed
        assert await place.asked_twice() <= in_flight
        assert await place.dead() == []


@pytest.mark.parametrize("how", ["restarted", "killed", "sessions ended"])
async def test_a_postgres_that_comes_back_finds_the_work_going_on(
    how: str, undisturbed: Fingerprint, own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis,
    market: Market, clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    async with amid_a_cycle(dsn, own_redis, market, clock) as in_flight:
        match how:
            case "restarted":
                await own_postgres.stop()
                await own_postgres.start()
            case "killed":
                await killed(own_postgres)
                await own_postgres.start()
            case _:
                await execute(
                    own_postgres.dsn,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid()",
                )
        await ends_as_if_nothing_had_been(dsn, own_redis, market, undisturbed, in_flight)
    assert len(logged) < 300, "no hot loop"


@pytest.mark.long(80)
async def test_seventy_seconds_without_postgres_are_waited_for_at_the_pauses_of_production(
    undisturbed: Fingerprint, own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    """Leases, looks and pauses are those of the settings: only so is the pause that has grown to its bound waited."""
    async with amid_a_cycle(dsn, own_redis, market, clock, MAINTENANCE_LEASE="10s") as in_flight:
        await own_postgres.stop()
        await Watch.wait(70)
        await own_postgres.start()
        await ends_as_if_nothing_had_been(dsn, own_redis, market, undisturbed, in_flight)

        async def is_over() -> bool:
            return any(line["event"] == "trouble_is_over" for line in logged)

        # A loop whose pause has grown looks again later than the cycle ends.
        await until(is_over, what="a loop that says that it goes on", within_s=60)
    assert len(logged) < 100, "told at once, then now and then, and in the end"


async def test_a_database_that_turns_read_only_is_waited_for_like_one_that_is_away(
    undisturbed: Fingerprint, own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    setting = f"ALTER DATABASE {DATABASE} {{}} default_transaction_read_only"
    drop = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
    async with amid_a_cycle(dsn, own_redis, market, clock) as in_flight:
        await execute(own_postgres.dsn, setting.format("SET") + " = on")
        await execute(own_postgres.dsn, drop)

        async def refused() -> bool:
            return any("ReadOnlySQLTransaction" in str(line.get("reason")) for line in logged)

        await until(refused, what="a refused write")
        await execute(own_postgres.dsn, setting.format("RESET"))
        await ends_as_if_nothing_had_been(dsn, own_redis, market, undisturbed, in_flight)
    assert len(logged) < 300, "no hot loop"


async def test_a_full_disk_is_waited_for_like_a_server_that_is_away(
    undisturbed: Fingerprint, own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    async with amid_a_cycle(dsn, own_redis, market, clock) as in_flight:
        # What PostgreSQL raises when a write finds no room, class 53100, without filling this machine's disk.
        await execute(
            dsn,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
        )
        await execute(
            dsn,
            "CREATE TRIGGER no_room BEFORE INSERT ON maintenance.data_load FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )

        async def refused() -> bool:
            return any("DiskFull" in str(line.get("reason")) for line in logged)

        await until(refused, what="a refused write")
        await execute(dsn, "DROP TRIGGER no_room ON maintenance.data_load")
        await ends_as_if_nothing_had_been(dsn, own_redis, market, undisturbed, in_flight)
    assert len(logged) < 300, "no hot loop"


async def test_a_server_out_of_connections_is_waited_for_from_the_start(
    undisturbed: Fingerprint, own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    crowd: list[asyncpg.Connection[asyncpg.Record]] = []
    async with place_of(dsn, own_redis.url, market) as place:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                crowd.append(await asyncpg.connect(own_postgres.dsn))
        async with consumer_on(place, clock):

            async def waited() -> bool:
                return any(line["event"] == "postgres_not_reachable" for line in logged)

            await until(waited, what="a consumer that says that it waits")
            for connection in crowd:
                await connection.close()
            await place.complete()
            await place.at_rest()
        assert await place.fingerprint() == undisturbed


async def test_health_and_status_say_that_postgres_is_away_and_recover(
    own_postgres: EmbeddedPostgres, dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    async with place_of(dsn, own_redis.url, market) as place:
        async with consumer_on(place, clock, http=True), aiohttp.ClientSession() as http:
            await place.complete()
            url = next(str(line["url"]) for line in logged if line["event"] == "http_api_listening")
            await own_postgres.stop()
            async with http.get(f"{url}/status") as answer:
                assert (answer.status, answer.content_type) == (503, "application/problem+json")
                assert "PostgreSQL" in (await answer.json(content_type=None))["detail"]
            async with http.get(f"{url}/health") as answer:
                health = await answer.json()
                checks = health["checks"]
                connected = (checks["postgresql"]["connected"], checks["redis"]["connected"])
                assert (answer.status, *connected) == (503, False, True)
            await own_postgres.start()

            async def well() -> bool:
                async with http.get(f"{url}/status") as answer:
                    return answer.status == 200

            await until(well, what="the status")


@pytest.fixture
def impatient_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_EVERY_S", "ASK_AFTER_S", "AWAY_AFTER_S"):
        monkeypatch.setattr(silence, name, getattr(silence, name) / 10)


@pytest.mark.usefixtures("impatient_watch")
async def test_sessions_that_fall_silent_amid_a_cycle_are_replaced_and_the_work_goes_on(
    undisturbed: Fingerprint, postgres_dsn: str, own_redis: EmbeddedRedis, market: Market,
    clock: TickingClock, logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    async with wire_before(postgres_dsn) as (wire, dsn), place_of(postgres_dsn, own_redis.url, market) as place:
        async with aiohttp.ClientSession() as http:
            async with consumer_on(place, clock, http=True, DATABASE_URL=dsn):
                in_flight = await place.in_the_middle_of(SLOTS)
                await wire.be(State.BLACK_HOLE)
                await place.complete()
                await place.at_rest()
                url = next(str(line["url"]) for line in logged if line["event"] == "http_api_listening")
                async with http.get(f"{url}/health") as answer:
                    assert (answer.status, (await answer.json())["checks"]["redis"]["connected"]) == (503, True)
        assert await place.fingerprint() == undisturbed
        assert await place.asked_twice() <= in_flight
        assert await place.dead() == []
    assert any(line["event"] == "postgres_sessions_silent" for line in logged)
    assert len(logged) < 300, "no hot loop"


async def test_a_consumer_whose_postgres_has_become_unreachable_ends_when_it_is_told(
    postgres_dsn: str, own_redis: EmbeddedRedis, market: Market, clock: TickingClock
) -> None:
    async with wire_before(postgres_dsn) as (wire, dsn), place_of(postgres_dsn, own_redis.url, market) as place:
        async with consumer_on(place, clock, DATABASE_URL=dsn):
            await place.in_the_middle_of(SLOTS)
            await wire.be(State.SILENT)
        # Left, the block has told it to stop and waited for its end, for fifteen seconds at most.
