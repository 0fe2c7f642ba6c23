"""Claims of the stamps on real servers: written once, written again when lost, and nothing for another source."""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest

from consumer.checks import start_up
from consumer.checks.data_source import check_data_source
from consumer.checks.finding import Level
from consumer.cycle.catch_up import CatchUp, Looking
from consumer.cycle.stores import Stores
from consumer.postgres.source_stamp import read_stamp
from consumer.redis_cache.writer import CacheWriter, ForeignCache
from consumer.runtime import utc_now
from consumer.source.guard import SourceGuard
from consumer.source.judgement import SourceRefused, grouped_daily_target
from contract import keys
from market.data_source import VENDOR, DataSource, folder_source, replay_source, simulated_source
from market.trading_calendar import TradingCalendar
from simulated_market.answer import request_id_of
from simulated_market.invented.market import InventedMarket
from tests.source.conftest import DAY

if TYPE_CHECKING:
    from redis import Redis as BlockingRedis

    from tests.source.conftest import Place

SANDBOX = simulated_source(seed=1, tickers=50)
LARGER = simulated_source(seed=1, tickers=60)
REPLAY = replay_source(digest="0123456789abcdef", name="real-market")
FOLDER = folder_source(PurePath("/srv/bars"))
STAMP = keys.SOURCE.pattern
OF_THE_SIMULATED = request_id_of(grouped_daily_target(DAY))


async def start(place: Place, source: DataSource) -> SourceGuard:
    """What every process of a run does before it writes anything else."""
    guard = SourceGuard(place.pool, place.redis, source, now=utc_now)
    await start_up.prepare(place.redis, place.pool, guard, now=utc_now)
    return guard


async def stamps(place: Place) -> tuple[str | None, str | None]:
    held = await read_stamp(place.pool)
    return None if held is None else held.mark, await place.redis.get(STAMP)


async def assert_refused(place: Place, source: DataSource, match: str) -> None:
    """Refused, and everything is as it was."""
    before = await place.everything()
    with pytest.raises(SourceRefused, match=match):
        await start(place, source)
    assert await place.everything() == before


@pytest.mark.parametrize(
    ("held", "ours"),
    [
        (VENDOR, SANDBOX),
        (SANDBOX, VENDOR),
        (SANDBOX, LARGER),
        (VENDOR, REPLAY),
        (REPLAY, SANDBOX),
        (VENDOR, FOLDER),
        (FOLDER, VENDOR),
        (FOLDER, SANDBOX),
        (FOLDER, folder_source(PurePath("/srv/others"))),
    ],
)
async def test_a_run_of_another_source_is_refused_by_either_stamp_before_it_writes(
    place: Place, held: DataSource, ours: DataSource
) -> None:
    await start(place, held)
    assert await stamps(place) == (held.mark, held.mark)
    await assert_refused(place, ours, "PostgreSQL")
    await place.redis.delete(STAMP)
    await assert_refused(place, ours, "PostgreSQL")
    await place.pool.execute("DELETE FROM data_source")
    await place.redis.set(STAMP, held.mark)
    await assert_refused(place, ours, "Redis")


async def test_a_refused_run_makes_no_schema_either(place: Place) -> None:
    await place.redis.set(STAMP, VENDOR.mark)
    await assert_refused(place, SANDBOX, "Redis")
    assert (await place.everything())["tables"] == {}


@pytest.mark.parametrize("ours", [VENDOR, SANDBOX])
async def test_what_stands_under_the_stamps_name_and_is_none_is_refused_with_the_cure(
    place: Place, ours: DataSource
) -> None:
    await place.redis.hset(STAMP, "source", VENDOR.mark)
    await assert_refused(place, ours, "Redis")
    await place.redis.delete(STAMP)
    await place.redis.set("maintenance:caches", "somebody else's")
    await assert_refused(place, SANDBOX, "Redis")


async def test_twenty_processes_that_start_together_stamp_once(place: Place) -> None:
    await asyncio.gather(*(start(place, SANDBOX) for _ in range(20)))
    assert await stamps(place) == (SANDBOX.mark, SANDBOX.mark)
    assert await place.pool.fetchval("SELECT count(*) FROM data_source") == 1


async def test_of_two_sources_that_start_together_one_gets_both_servers(place: Place) -> None:
    outcomes = await asyncio.gather(
        *(start(place, source) for source in (SANDBOX, LARGER) * 5), return_exceptions=True
    )  # fmt: skip
    postgres, redis = await stamps(place)
    assert postgres == redis
    for source, outcome in zip((SANDBOX, LARGER) * 5, outcomes, strict=True):
        assert isinstance(outcome, SourceRefused) == (source.mark != postgres), outcome


@pytest.mark.parametrize("lost", ["redis", "postgres"])
async def test_a_start_writes_the_stamp_that_a_crash_between_the_two_left_out(place: Place, lost: str) -> None:
    await start(place, SANDBOX)
    await (place.redis.delete(STAMP) if lost == "redis" else place.pool.execute("DELETE FROM data_source"))
    await start(place, SANDBOX)
    assert await stamps(place) == (SANDBOX.mark, SANDBOX.mark)


@pytest.mark.parametrize(
    ("request_id", "ours", "others"),
    [
        ("6a7e466379af0a71039d60cc78e72282", VENDOR, (SANDBOX, REPLAY, FOLDER)),
        (OF_THE_SIMULATED, SANDBOX, (VENDOR, REPLAY)),
    ],
    ids=["the vendor's", "the simulated market's"],
)
async def test_a_database_from_before_the_stamp_is_taken_for_what_its_loads_say(
    place: Place, monkeypatch: pytest.MonkeyPatch, request_id: str, ours: DataSource, others: tuple[DataSource, ...]
) -> None:
    await place.as_before_the_stamp()
    await place.loaded("universe", request_id=None)
    await place.loaded(f"bars:{DAY}", request_id=request_id)
    for other in others:
        await assert_refused(place, other, "PostgreSQL")
    await start(place, ours)
    assert await stamps(place) == (ours.mark, ours.mark)
    assert await place.pool.fetchval("SELECT stamped_by FROM data_source") == "data_load rows"


@pytest.mark.parametrize("sign", ["the name that replays invented", "the provenance of its rows"])
async def test_a_replay_from_before_the_stamp_is_told_from_a_sandbox(
    place: Place, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    await place.as_before_the_stamp()
    of_names = sign.startswith("the name")
    await place.loaded(f"bars:{DAY}", request_id=OF_THE_SIMULATED, source="massive:rest" if of_names else "replay:rest")
    if of_names:
        await place.pool.execute(
            "INSERT INTO public.ticker_metadata (symbol, company_name, created_at, updated_at) "
            "VALUES ('AAPL', 'AAPL (replayed)', now(), now())"
        )
    for other in (SANDBOX, VENDOR):
        await assert_refused(place, other, "data of a replay")
    await start(place, REPLAY)


@pytest.mark.parametrize(("seed", "tickers"), [(1, 50), (1, 60), (2, 50)])
async def test_an_old_sandbox_is_held_against_the_market_of_that_seed_and_size(
    place: Place, monkeypatch: pytest.MonkeyPatch, seed: int, tickers: int
) -> None:
    await place.as_before_the_stamp()
    await place.loaded(f"bars:{DAY}", request_id=OF_THE_SIMULATED)
    rows = InventedMarket(50, 1, TradingCalendar()).grouped(DAY)
    await place.pool.executemany(
        "INSERT INTO public.market_data_daily (trading_date, symbol, open, high, low, close, volume, load_id) "
        "VALUES ($1, $2, $3, $3, $3, $3, 1, 1)",
        [(DAY, row.T, row.c) for row in rows[1:]],
    )
    source = simulated_source(seed=seed, tickers=tickers)
    if source.is_same(SANDBOX):
        await start(place, source)
    else:
        await assert_refused(place, source, "another seed or size.*SIMULATED_SEED and --tickers.*maintenance adopt")


async def test_a_database_that_does_not_tell_is_asked_about_and_nothing_computed_counts_as_data(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.as_before_the_stamp()
    await place.loaded("plan", request_id=None, source="computed")
    await place.loaded("universe", request_id=None)
    for source in (VENDOR, SANDBOX):
        await assert_refused(place, source, "maintenance adopt")
    await place.loaded(f"bars:{DAY}", request_id="a" * 32)
    await place.loaded("bars:2025-11-10", request_id=request_id_of(grouped_daily_target(DAY.replace(day=10))))
    for source in (VENDOR, SANDBOX):
        await assert_refused(place, source, "mixed.*maintenance adopt")


async def test_caches_without_a_stamp_are_the_vendors_to_take_over_and_nobody_elses(place: Place) -> None:
    await place.redis.set(keys.TICKER_METADATA.pattern.format(symbol="AAPL"), "{}")
    await assert_refused(place, SANDBOX, "metadata:ticker:AAPL.*may be other services'")
    await start(place, VENDOR)
    assert await stamps(place) == (VENDOR.mark, VENDOR.mark)


async def test_the_catch_up_writes_a_flushed_stamp_again_and_ends_where_another_source_moved_in(place: Place) -> None:
    guard = await start(place, SANDBOX)
    await place.redis.flushall()
    await guard.keep()
    assert await stamps(place) == (SANDBOX.mark, SANDBOX.mark)
    await place.redis.set(STAMP, VENDOR.mark)
    nothing: Any = None
    stores = Stores(pool=place.pool, redis=place.redis, stream=nothing)
    look = CatchUp(stores, nothing, nothing, now=utc_now, looking=Looking(guard=guard)).look
    with pytest.raises(SourceRefused, match="Redis"):
        await look()
    await place.redis.delete(STAMP)
    await place.pool.execute("UPDATE data_source SET kind = 'vendor', identity = 'massive'")
    with pytest.raises(SourceRefused, match="PostgreSQL"):
        await look()


def test_no_cache_is_written_into_a_redis_that_another_source_got_meanwhile(cache: BlockingRedis) -> None:
    def writer(fence: int, source: DataSource) -> CacheWriter:
        return CacheWriter(cache, cache="cache:atr", fence=fence, ttl=None, source=source)

    writer(1, SANDBOX).begin()  # emptied since the last look: the stamp comes back before the first value
    assert cache.get(STAMP) == SANDBOX.mark
    with pytest.raises(ForeignCache, match="simulated seed=1"):
        writer(2, VENDOR).begin()
    assert cache.hgetall(keys.CACHES.pattern) == {"cache:atr:fence": "1"}


async def test_the_doctor_holds_the_two_stamps_against_each_other(place: Place) -> None:
    async def level() -> tuple[Level, str]:
        found = await check_data_source(place.pool, place.redis)
        return found.level, found.seen

    assert (await level())[0] is Level.OK
    await start(place, SANDBOX)
    assert await level() == (Level.OK, f"{SANDBOX.words}, in PostgreSQL and Redis")
    await place.redis.delete(STAMP)
    assert (await level())[0] is Level.WARNING
    await place.redis.set(STAMP, VENDOR.mark)
    assert await level() == (Level.REFUSED, f"{SANDBOX.words} in PostgreSQL, {VENDOR.words} in Redis")
    await place.pool.execute("DELETE FROM data_source")
    await place.loaded("universe", request_id=None)
    assert (await level())[0] is Level.REFUSED


@pytest.mark.parametrize("then", ["text", "mended"])
async def test_a_stamp_written_over_between_two_reads_ends_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    guard = await start(place, SANDBOX)
    await place.redis.delete(STAMP)
    refuse = guard.refuse_foreign

    async def meanwhile() -> None:
        await place.redis.set(STAMP, "somebody's")
        try:
            await refuse()
        finally:
            if then == "mended":
                await place.redis.set(STAMP, SANDBOX.mark)

    monkeypatch.setattr(guard, "refuse_foreign", meanwhile)
    await guard.keep()
    monkeypatch.undo()
    await guard.keep()
    assert await stamps(place) == (SANDBOX.mark, SANDBOX.mark)
