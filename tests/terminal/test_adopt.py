"""Claims of `maintenance adopt`: a person says whose data it is, once, and replaces a stamp only by saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.postgres.pool import open_pool
from consumer.postgres.source_stamp import read_stamp
from consumer.settings import read_settings
from consumer.terminal.adopt import Adoption, adopt, refusal, source_named
from consumer.terminal.refused import CommandRefused
from contract import keys
from market.data_source import VENDOR, SourceKind, folder_source, simulated_source
from tests.source.conftest import LEASE, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from consumer.settings import Settings

IS_VENDORS = Adoption(kind=SourceKind.VENDOR)
IS_SANDBOX = Adoption(kind=SourceKind.SIMULATED, tickers=50)


@pytest.fixture
def settings(postgres_dsn: str, redis_url: str) -> Settings:
    return read_settings({"DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url, "SIMULATED_SEED": "3"})


@pytest.fixture
async def place(postgres_dsn: str, redis: Redis) -> AsyncIterator[Place]:
    async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
        yield Place(postgres_dsn, pool, redis)


async def test_an_undecidable_database_gets_both_stamps_by_the_word_of_a_person(
    settings: Settings, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await place.as_before_the_stamp()
    await place.loaded("universe", request_id=None)
    await place.redis.set(keys.SOURCE.pattern, VENDOR.mark)
    assert await adopt(settings, IS_VENDORS) == 0
    assert await read_stamp(place.pool) == VENDOR
    assert "of which nothing says where it comes from" in capsys.readouterr().out
    assert await place.pool.fetchval("SELECT stamped_by FROM data_source") not in ("first load", "data_load rows")


async def test_a_stamp_is_replaced_only_when_that_is_said(settings: Settings, place: Place) -> None:
    assert await adopt(settings, IS_VENDORS) == 0
    assert await adopt(settings, IS_VENDORS) == 0
    told = "PostgreSQL is stamped 'vendor massive' and Redis is stamped 'vendor massive'"
    with pytest.raises(CommandRefused, match=told) as refused:
        await adopt(settings, IS_SANDBOX)
    assert refused.value.code == 3
    assert await read_stamp(place.pool) == VENDOR
    assert await adopt(settings, Adoption(kind=SourceKind.SIMULATED, tickers=50, replace=True)) == 0
    assert await read_stamp(place.pool) == simulated_source(seed=3, tickers=50)
    assert await place.redis.get(keys.SOURCE.pattern) == "simulated seed=3 tickers=50"


def test_a_replay_is_named_by_its_folder(settings: Settings, tmp_path: Path) -> None:
    assert refusal(IS_VENDORS) is None
    assert "--replay DIR" in (refusal(Adoption(kind=SourceKind.REPLAY)) or "")
    assert "--replay DIR" in (refusal(Adoption(kind=SourceKind.REPLAY, replay=tmp_path)) or "")
    assert "goes with --source replay" in (refusal(Adoption(kind=SourceKind.VENDOR, replay=tmp_path)) or "")
    (tmp_path / "us_stocks_sip" / "day_aggs_v1").mkdir(parents=True)
    of_folder = msgspec.structs.replace(settings, market_data_folder=tmp_path)
    assert source_named(of_folder, IS_VENDORS) == folder_source(tmp_path), "moved, and known again"
    named = Adoption(kind=SourceKind.REPLAY, replay=tmp_path)
    assert refusal(named) is None
    assert source_named(settings, named).name == tmp_path.name
