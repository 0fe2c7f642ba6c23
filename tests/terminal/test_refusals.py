"""What a command says where it has no answer: a line with the cure, a documented exit code, and JSON if asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.embedded.data_dir import DataDirLock
from consumer.embedded.errors import DataDirInUse
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.terminal import servers
from consumer.terminal.app import call
from consumer.terminal.refused import ExitCode
from consumer.terminal.servers import lock_after_looks
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[..., tuple[int, str, str]]

DAY = "2025-11-11"
READING = [
    "status", "coverage", "gaps", "verify", "plan", "dead-letters list", "findings list",
    "dead-letters replay 1 --dry-run", f"backfill --from {DAY} --to {DAY} --dry-run",
]  # fmt: skip
ACTING = [
    f"cancel {DAY}", "dead-letters replay 1", "dead-letters drop 1 --reason x", "findings accept 1 --reason x",
    f"backfill --from {DAY} --to {DAY}", f"trigger --day {DAY} --wait",
]  # fmt: skip
WITH_JSON = ["status", "coverage", "gaps", "verify", "plan", "dead-letters list", "findings list"]


@pytest.fixture
def say(
    postgres_dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Say]:
    """Runs a command in this process; returns exit code, output and errors."""

    def said(command: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patched:
            for name, value in {"DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url, **environment}.items():
                patched.setenv(name, value)
            code = call(command.split())
        answer = capsys.readouterr()
        return code, answer.out, answer.err

    yield said


def told(say: Say, command: str, code: ExitCode, cure: str, **environment: str) -> None:
    found, out, err = say(command, **environment)
    assert found == code, (command, err)
    assert cure in " ".join(err.replace("│", "").split()), command  # the box around what was typed wrong breaks lines
    assert "Traceback" not in err
    if "--json" in command:
        answer = json.loads(out)
        assert (answer["exit_code"], cure in answer["error"]) == (code, True), command


def test_every_command_tells_of_a_database_without_tables_that_nothing_was_ever_loaded(say: Say) -> None:
    for command in [*READING, *ACTING, *(f"{verb} --json" for verb in WITH_JSON)]:
        told(say, command, ExitCode.FINDING, "no maintenance tables yet")
    assert say("pending --json")[0] == ExitCode.OK
    assert say("doctor --offline")[0] == ExitCode.OK
    assert say(f"trigger --day {DAY}")[0] == ExitCode.OK  # waits in the stream for whoever makes the tables


async def _made(dsn: str, *statements: str) -> None:
    async with await open_pool(dsn, lease=dt.timedelta(seconds=10), size=1) as pool:
        await migrate(pool)
        for statement in statements:
            await pool.execute(statement)


@pytest.mark.parametrize(
    ("statement", "cure"),
    [
        ("INSERT INTO schema_migration (name, checksum) VALUES ('0003_of_a_fork.sql', '')", "0003_of_a_fork.sql"),
        ("UPDATE schema_version SET version = 999, oldest_served = 999", "serve programs from version 999 on"),
        ("UPDATE schema_migration SET checksum = '' WHERE name LIKE '0003%'", "0003_timescaledb.sql"),
        ("DELETE FROM schema_migration WHERE name LIKE '0012%'", "start the service of this version once"),
        ("DROP TABLE cycle CASCADE; DROP TABLE coverage CASCADE", "`maintenance doctor` compares the schema"),
    ],
)
def test_the_tables_of_another_version_are_told_apart_and_not_read(
    say: Say, postgres_dsn: str, statement: str, cure: str
) -> None:
    asyncio.run(_made(postgres_dsn, statement))
    for command in ("status --json", "coverage", f"cancel {DAY}"):
        told(say, command, ExitCode.FAILED, cure)


def test_servers_that_refuse_or_are_away_are_told_with_their_cure(say: Say, postgres_dsn: str) -> None:
    asyncio.run(_made(postgres_dsn, "DROP ROLE IF EXISTS onlooker", "CREATE ROLE onlooker LOGIN"))
    poor = postgres_dsn.replace("postgres@", "onlooker@", 1)
    absent = re.sub(r"/test_\w+\?", "/no_such_database?", postgres_dsn)
    try:
        for command in ("status --json", "verify --json", "findings list", f"cancel {DAY}"):
            told(say, command, ExitCode.FAILED, "correct the name in DATABASE_URL", DATABASE_URL=absent)
            told(say, command, ExitCode.FAILED, "owner of its database", DATABASE_URL=poor)
            told(say, command, ExitCode.UNREACHABLE, "DATABASE_URL right?", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
        for command in ("plan --json", "pending --json", f"trigger --day {DAY}"):
            told(say, command, ExitCode.UNREACHABLE, "REDIS_URL right?", REDIS_URL="redis://127.0.0.1:1/0")
    finally:
        asyncio.run(execute(postgres_dsn, "DROP ROLE onlooker"))


def test_what_was_typed_wrong_is_told_as_usage_before_anything_is_asked(say: Say, postgres_dsn: str) -> None:
    asyncio.run(_made(postgres_dsn))
    for command, cure in (
        ("status --frobnicate --json", "--frobnicate"),
        ("coverage --json --from 2025-13-01", "2025-13-01"),
        ("coverage --json --from 1900-01-01", "outside the trading calendar"),
        ("gaps --from 2025-11-11 --to 2025-11-01", "give the earlier day to --from"),
        ("backfill --from 2025-11-15 --to 2025-11-16", "no session from"),
        ("trigger --day 2025-11-15", "not a trading day"),
        ("dead-letters replay 99999999999999999999", "Must be <="),
        ("dead-letters drop 0 --reason x", "Must be >="),
        ("findings accept 99999999999999999999 --reason x", "Must be <="),
        (f"cancel {DAY} --by a\x1b[2Jb", "one printable line"),
        (f"cancel {DAY} --reason " + "x" * 1001, "at most 1000"),
        ("dead-letters replay 1 --set task=a\udcffb", "one printable line"),
    ):
        told(say, command, ExitCode.USAGE, cure)
    told(say, "status --json", ExitCode.USAGE, "SLOT_SESSIONS", SLOT_SESSIONS="none", LOG_LEVEL="loud")


def test_the_readme_has_the_table_of_exit_codes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    table = readme.partition("## Exit codes")[2].partition("\n## ")[0]
    listed = {int(code): name for code, name in re.findall(r"^\| (\d+) \| (\w+)", table, re.MULTILINE)}
    assert listed == {code.value: code.name.lower() for code in ExitCode}


async def test_a_run_waits_for_a_look_to_end_and_for_no_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = DataDirLock(tmp_path, look=True)
    look.acquire()
    looked = asyncio.Event()

    async def sleep(_: float) -> None:
        looked.set()
        await asyncio.to_thread(lambda: None)

    monkeypatch.setattr(servers.asyncio, "sleep", sleep)
    starting, waits = asyncio.create_task(lock_after_looks(tmp_path)), asyncio.create_task(looked.wait())
    await asyncio.wait({starting, waits}, return_when=asyncio.FIRST_COMPLETED)
    assert not starting.done() or starting.result() is None
    await waits
    look.release()
    with await starting, pytest.raises(DataDirInUse, match="another data-maintenance service"):
        await lock_after_looks(tmp_path)
