"""Every verb with --json, on one finished night: it answers what its schema declares, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import json
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.terminal.answers import ANSWERS, Refusal, UsualAt, schema_of
from consumer.web.monitor import Status
from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, stack_on
from tests.terminal.conftest import environment_without_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.terminal.conftest import Run

    Maintenance = Callable[..., Awaitable[tuple[int, str, str]]]

NOW = dt.datetime.now(dt.UTC)
DAY = SCHEDULE.calendar.last_completed(NOW)
#: Verb, what is asked, exit code; None where the clock decides it.
ASKED: tuple[tuple[str, tuple[str, ...], int | None], ...] = (
    ("status", (), None),
    ("coverage", ("--symbol", "AAPL"), 0),
    ("coverage", ("--data-set", "daily_bars"), 0),
    ("gaps", (), 0),
    ("pending", (), 0),
    ("plan", (), 0),
    ("verify", (), 0),
    ("report", (), None),
    ("symbol", ("AAPL",), 0),
    ("symbol", ("AAPL", "--at", "10:00"), 0),
    ("doctor", ("--offline",), 0),
    ("dead-letters list", (), 0),
    ("dead-letters replay", ("--all",), 3),
    ("dead-letters drop", ("--all", "--reason", "of a test"), 3),
    ("findings list", (), 0),
    ("findings accept", ("4711", "--reason", "of a test"), 3),
    ("boundary list", (), 0),
    ("boundary accept", ("AAPL", str(DAY), "--reason", "of a test"), 0),
    ("boundary accept", ("AAPL", str(DAY), "--reason", "of a test"), 3),
    ("boundary reject", ("AAPL", str(DAY), "--reason", "of a test"), 0),
    ("cancel", (str(DAY),), 3),
    ("backfill", ("--from", str(DAY), "--to", str(DAY), "--dry-run"), 0),
    ("trigger", ("--day", str(DAY)), 0),
    ("migrate", (), 0),
    ("adopt", ("--source", "vendor"), 0),
    ("adopt", ("--source", "simulated"), 3),
    ("completion", ("zsh",), 0),
)


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    """A service whose last completed session, by the real clock, has been maintained a moment ago."""
    clock = Clock(NOW)
    async with market_of(24, clock) as market, stack_on(postgres_dsn, redis_url, market, clock) as served:
        await served.run_cycle(DAY)
        yield served


@pytest.fixture
def maintenance(run: Run) -> Maintenance:
    return functools.partial(run, "consumer.terminal", OHLC_SESSIONS="16", SLOT_SESSIONS="5", COLUMNS="200")


def is_what_was_declared(text: str, declared: Any) -> None:
    """It has every field, of its type, and none that is not declared."""
    decoded = msgspec.json.decode(text, type=declared)
    assert json.loads(msgspec.json.encode(decoded)) == json.loads(text)


@pytest.mark.long(20)
async def test_every_verb_answers_what_its_schema_declares_and_exits_as_all_do(
    stack: Stack, maintenance: Maintenance, tmp_path: Path
) -> None:
    to_dir = ("export", ("--from", str(DAY), "--to-dir", str(tmp_path)), 0)
    for verb, arguments, expected in (*ASKED, to_dir):
        code, out, err = await maintenance(*verb.split(), *arguments, "--json")
        assert code == expected if expected is not None else code in (0, 3), (verb, code, out, err)
        refused = code != 0 and '"exit_code"' in out
        is_what_was_declared(out, Refusal if refused else ANSWERS[verb])
        assert not refused or msgspec.json.decode(out, type=Refusal).exit_code == code
    elsewhere = {"run", "doctor --live", "refusal"}  # test_maintenance_run, test_doctor; and all of the others
    assert {verb for verb, _, _ in ASKED} | {"export"} | elsewhere == set(ANSWERS)


async def test_what_is_usual_by_ten_is_told_with_the_rows_requests_and_files_it_was_made_of(
    stack: Stack, maintenance: Maintenance
) -> None:
    rows = await stack.pool.fetch(
        "SELECT trading_date, volumes FROM session_slots WHERE symbol = 'AAPL' AND trading_date <= $1 "
        "ORDER BY trading_date DESC LIMIT 5",
        DAY,
    )
    by_ten = [sum(volume or 0.0 for volume in row["volumes"][:72]) for row in rows]  # 72 slots from 04:00 to 10:00
    code, out, _ = await maintenance("symbol", "AAPL", "--at", "10:00", "--json")
    usual = msgspec.convert(json.loads(out)["usual"], UsualAt)
    assert (code, usual.field, usual.key) == (0, "71", "rvol:hist:avg:AAPL:5")
    assert usual.stored == pytest.approx(sum(by_ten) / 5, rel=1e-6)
    assert usual.cached == usual.stored

    code, out, _ = await maintenance("symbol", "AAPL", "--at", "10:00")
    assert code == 0
    assert f"AAPL has usually traded {usual.stored:,.0f} shares by 10:00 ET (mean of 5 sessions" in out
    for row, volume in zip(rows, by_ten, strict=True):
        (line,) = [one for one in out.splitlines() if one.startswith(f"  {row['trading_date']}  ")]
        assert f"{volume:,.0f}" in line
        assert "massive:rest, load " in line
        assert "by volume_slots batch:" in line

    # What there is not is usage, and never an empty answer.
    for arguments, words in (
        (("symbol", "NOPE"), "nothing is known of NOPE"),
        (("symbol", "AAPL", "--at", "03:00"), "between 04:05 and 20:00"),
        (("coverage", "--symbol", "NOPE"), "nothing is known of NOPE"),
        (("gaps", "--data-set", "bars"), "there are daily_bars"),
    ):
        code, out, err = await maintenance(*arguments)
        assert (code, out, words in err) == (2, "", True), err

    await stack.redis.hset("rvol:hist:avg:AAPL:5", "71", "1")  # type: ignore[misc]
    code, out, _ = await maintenance("symbol", "AAPL", "--at", "10:00")
    assert (code, "Redis       1 in field 71" in out, "ANOTHER" in out) == (3, True, True)
    code, out, _ = await maintenance("symbol", "AAPL")
    assert code == 3
    assert "PostgreSQL has OTHERS" in out
    assert f"bar of {DAY}: massive:rest, request " in out
    assert sum("o" in line.partition("  ")[2] for line in out.splitlines()[2:14]) > 1, "the closes are drawn"


async def test_status_shows_the_pages_calendar_and_with_watch_says_it_again_when_it_is_otherwise(
    stack: Stack, maintenance: Maintenance, postgres_dsn: str, redis_url: str
) -> None:
    _, out, _ = await maintenance("status")
    line = next(one for one in out.splitlines() if one.startswith(f"{DAY:%a %d %b}"))
    assert "final" in line or "provisional" in line
    assert "next: " in out
    assert "daily_bars" in out

    watching = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer.terminal", "status", "--watch", "--json", stdout=asyncio.subprocess.PIPE,
        env={**environment_without_key(), "DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url},
    )  # fmt: skip
    assert watching.stdout is not None
    first = msgspec.json.decode(await watching.stdout.readline(), type=Status)
    await stack.redis.zadd("maintenance:later", {"of a test": 4102444800})
    second = msgspec.json.decode(await watching.stdout.readline(), type=Status)
    watching.terminate()
    assert await watching.wait() in (0, 3)
    assert (first.streams or {})["later"] == 0
    assert (second.streams or {})["later"] == 1


def test_every_answer_has_a_schema_that_names_its_fields() -> None:
    for verb in ANSWERS:
        text = json.dumps(schema_of(verb))
        assert '"properties"' in text, verb
