"""Claims whose data a run loads: the simulated market fills servers of one's own only when it is asked for by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from consumer.settings import BadSettings, read_settings
from consumer.terminal import run_source
from consumer.terminal.run_options import RunOptions
from consumer.worker_settings import required
from contract import keys
from market.data_source import VENDOR, folder_source, simulated_source

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.terminal.conftest import Run

REDIS = {"REDIS_URL": "redis://127.0.0.1/0"}
DATABASE = {"DATABASE_URL": "postgresql://127.0.0.1/db"}
KEY = {"MASSIVE_API_KEY": "k"}


@pytest.mark.parametrize("servers", [REDIS, DATABASE, REDIS | DATABASE], ids=["redis", "database", "both"])
@pytest.mark.parametrize("flags", [{}, {"tickers": 50}, {"once": True}], ids=str)
def test_servers_of_ones_own_without_a_key_are_refused_with_both_cures(
    servers: dict[str, str], flags: dict[str, Any]
) -> None:
    told = run_source.refusal(read_settings(servers), RunOptions(**flags))
    assert told is not None
    assert all(name in told for name in servers)
    assert "Set MASSIVE_API_KEY" in told
    assert "--simulated" in told


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ({}, {}),
        ({}, {"tickers": 50}),
        (DATABASE | KEY, {}),
        (DATABASE | {"POLYGON_API_KEY": "k"}, {}),
        (REDIS | DATABASE, {"simulated": True, "tickers": 50}),
        (REDIS | DATABASE, {"replay": Path("somewhere")}),
        (REDIS | DATABASE | KEY, {"simulated": True}),
    ],
    ids=str,
)
def test_what_is_asked_for_by_name_or_by_key_or_fills_embedded_servers_goes_on(
    environment: dict[str, str], flags: dict[str, Any]
) -> None:
    assert run_source.refusal(read_settings(environment), RunOptions(**flags)) is None


@pytest.mark.parametrize(
    ("environment", "flags", "words"),
    [
        ({}, {"simulated": True, "replay": Path("somewhere")}, "two markets"),
        (KEY, {"tickers": 50}, "add --simulated|Add --simulated"),
        ({}, {"tickers": 50, "replay": Path("somewhere")}, "leave --tickers out"),
    ],
    ids=str,
)
def test_flags_that_would_pass_without_effect_are_refused(
    environment: dict[str, str], flags: dict[str, Any], words: str
) -> None:
    told = run_source.refusal(read_settings(environment), RunOptions(**flags)) or ""
    assert any(one in told for one in words.split("|"))


async def test_a_key_makes_it_the_vendor_and_the_flag_the_simulated_market_all_the_same() -> None:
    settings = read_settings(KEY | {"SIMULATED_SEED": "5"})
    assert await run_source.source_of_run(settings, RunOptions()) is VENDOR
    flags = RunOptions(simulated=True, tickers=50)
    source = await run_source.source_of_run(settings, flags)
    assert source.is_same(simulated_source(seed=5, tickers=50))
    assert "MASSIVE_API_KEY is set and not used" in run_source.words_for(source, settings, flags)


async def test_a_folder_is_a_source_of_its_own_and_none_beside_another(tmp_path: Path) -> None:
    folder = {"MARKET_DATA_FOLDER": str(tmp_path)}
    settings = read_settings(REDIS | DATABASE | folder)
    assert run_source.refusal(settings, RunOptions()) is None
    source = await run_source.source_of_run(settings, RunOptions())
    assert source == folder_source(tmp_path)
    assert run_source.words_for(source, settings, RunOptions()) == f"the folder {tmp_path}"
    for flags in (RunOptions(simulated=True), RunOptions(replay=tmp_path)):
        assert "leave one of them out" in (run_source.refusal(settings, flags) or "")
    for other in (KEY, {"MASSIVE_FLAT_FILES": str(tmp_path)}):
        with pytest.raises(BadSettings, match=f"MARKET_DATA_FOLDER and {next(iter(other))} name two sources"):
            read_settings(folder | other)
    assert not [name for name, value, _ in required(settings) if value is None]


async def test_a_forgotten_key_touches_neither_server_nor_the_data_directory(
    run: Run, redis: Redis, postgres_dsn: str, tmp_path: Path
) -> None:
    for dropped in ("REDIS_URL", "DATABASE_URL"):
        chosen = {dropped: ""}
        code, _, err = await run("consumer.terminal", "run", "--once", DATA_DIR=str(tmp_path / "data"), **chosen)
        assert (code, "MASSIVE_API_KEY" in err, "--simulated" in err) == (2, True, True), err
    code, _, err = await run("consumer", "--no-http")
    assert (code, "MASSIVE_API_KEY is not set" in err, "Traceback" in err) == (2, True, False), err
    assert await tables(postgres_dsn) == []
    assert await redis.keys("*") == []
    assert not (tmp_path / "data").exists()


async def test_a_run_on_servers_that_hold_the_vendors_data_changes_nothing_there(
    run: Run, redis: Redis, postgres_dsn: str, tmp_path: Path
) -> None:
    await redis.set(keys.SOURCE.pattern, VENDOR.mark)
    flags = ("run", "--simulated", "--tickers", "40", "--once")
    code, out, err = await run("consumer.terminal", *flags, DATA_DIR=str(tmp_path / "data"), HTTP_PORT="0")
    assert code == 2, (out, err)
    told = " ".join(out.split())
    for words in ("the vendor (Massive)", "seed=1 tickers=40", "set MASSIVE_API_KEY", "another database number"):
        assert words in told
    assert await redis.keys("*") == [keys.SOURCE.pattern]
    assert await tables(postgres_dsn) == []
    assert not (tmp_path / "data").exists()


async def tables(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [
            row[0]
            for row in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'maintenance')"
            )
        ]
    finally:
        await connection.close()
