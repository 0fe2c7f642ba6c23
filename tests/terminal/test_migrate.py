"""`maintenance migrate`: what it applied, what is left, whom the tables serve, and what SQL readers see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer.postgres import packaged
from consumer.terminal.app import call
from process.exit_codes import ExitCode
from tests.conftest import execute
from tests.former_release import leave_tables
from tests.next_release import AFTER, BEFORE, NEXT, next_release

if TYPE_CHECKING:
    import pytest


def test_tables_are_brought_up_to_date_and_the_rest_is_applied_when_somebody_finishes_it(
    postgres_dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_dsn)
    monkeypatch.setenv("REDIS_URL", redis_url)
    asyncio.run(leave_tables(postgres_dsn))
    assert call(["migrate"]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "applied 0014_names_of_our_own.before.sql" in told
    assert f"tables of version {NEXT - 1}, serving programs from 14 on; this program is of version {NEXT - 1}" in told
    assert "show SQL readers raw prices" in told
    with next_release(monkeypatch):
        monkeypatch.setenv("READER_PRICES", "adjusted")
        assert call(["migrate"]) == ExitCode.OK
        told = capsys.readouterr().out
        assert f"applied {BEFORE.name}" in told
        assert "show SQL readers adjusted prices" in told
        assert f"still to be applied: {AFTER.name}" in told
        assert "maintenance migrate --finish" in told
        assert call(["migrate", "--finish"]) == ExitCode.OK
        assert f"serving programs from {NEXT} on" in capsys.readouterr().out
    assert call(["migrate"]) == ExitCode.FAILED
    assert "run the release that made these tables" in capsys.readouterr().err


def test_what_stands_in_the_way_is_told_with_its_cure(
    postgres_dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_dsn)
    monkeypatch.setenv("REDIS_URL", redis_url)
    asyncio.run(execute(postgres_dsn, "CREATE TABLE ticker_metadata (symbol text)"))
    assert call(["migrate"]) == ExitCode.FAILED
    assert "public.ticker_metadata (owner postgres): set READERS_SCHEMA to another" in capsys.readouterr().err
    monkeypatch.setenv("READERS_SCHEMA", "maintenance")
    assert call(["migrate"]) == ExitCode.USAGE
    assert "DATABASE_SCHEMA=maintenance is READERS_SCHEMA too" in capsys.readouterr().err
    monkeypatch.setenv("READERS_SCHEMA", "maintenance_views")
    assert call(["migrate"]) == ExitCode.OK
    assert f"this program is of version {packaged.version()}" in capsys.readouterr().out
