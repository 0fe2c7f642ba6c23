"""`maintenance report` at a terminal: as text, as JSON, as a page; its exit codes, and what it refuses."""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.health_report.report import Report, Standing
from tests.cycle.stack import DAY, EVENING, SCHEDULE, Clock, market_of, stack_on
from tests.health_report.pages import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.cycle.stack import Stack
    from tests.terminal.conftest import Run

    Maintenance = Callable[..., Awaitable[tuple[int, str, str]]]

COMMAND = "consumer.terminal"


@pytest.fixture
def maintenance(run: Run) -> Maintenance:
    """Runs `maintenance …` with the windows of the stack; returns exit code, output and errors."""
    return functools.partial(run, COMMAND, OHLC_SESSIONS="16", SLOT_SESSIONS="5")


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    """Maintained once, on the evening of 2025-11-11: sixteen sessions, from 2025-10-21 on; and never again."""
    clock = Clock(EVENING)
    async with market_of(20, clock) as market, stack_on(postgres_dsn, redis_url, market, clock) as served:
        await served.run_cycle(DAY)
        yield served


async def test_a_whole_month_exits_0_and_says_so_as_text_as_json_and_as_a_page(
    stack: Stack, maintenance: Maintenance, tmp_path: Path
) -> None:
    code, out, err = await maintenance("report", "--month", "2025-10")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "October 2025 is whole: nothing is to be seen to of its 9 sessions"
    assert lines[1] == "9 final · 14 before the data"
    assert lines[2] == "the data begin on 2025-10-21: 14 sessions before it are not counted"
    assert any(line.startswith("there are no records of that month: the first cycle") for line in lines)

    code, out, err = await maintenance("report", "--month", "2025-10", "--json")
    assert (code, err) == (0, "")
    report = msgspec.json.decode(out, type=Report, strict=True)
    assert (report.month, report.is_whole, report.counts[Standing.FINAL]) == ("2025-10", True, 9)
    assert report.spent is None

    path = tmp_path / "october.html"
    code, out, err = await maintenance("report", "--month", "2025-10", "--html", str(path))
    assert (code, out, err) == (0, "", f"written: {path}\n")
    page = Page(path.read_text("utf-8"))
    assert page.wrong == []
    assert ("title", "Data maintenance, October 2025") in page.texts
    assert list(tmp_path.iterdir()) == [path], "nothing unfinished is left beside it"


async def test_a_month_that_lacks_something_exits_3_with_the_cure(stack: Stack, maintenance: Maintenance) -> None:
    code, out, err = await maintenance("report", "--month", "2025-11")
    assert (code, err) == (3, "")
    assert out.startswith("November 2025 lacks something of ")
    assert "to repair it: maintenance backfill --from 2025-11-11 --to 2025-11-28" in out
    assert "27 Thanksgiving Day" in out
    assert "28 missing to 13:00 !" in out
    assert "no sample was taken" in out
    code, out, _ = await maintenance("gaps", "--json")
    gaps = {row["trading_day"] for row in json.loads(out) if row["trading_day"].startswith("2025-11")}
    code, out, _ = await maintenance("report", "--month", "2025-11", "--json")
    report = msgspec.json.decode(out, type=Report)
    assert code == 3
    told = {str(one.day) for one in report.days if {"daily_bars", "volume_slots"} & {*one.gaps}}
    assert told == gaps, "both say the same of bars and slots"


async def test_without_a_month_it_is_that_of_the_last_completed_session(stack: Stack, maintenance: Maintenance) -> None:
    before = SCHEDULE.calendar.last_completed(dt.datetime.now(dt.UTC))
    code, out, _ = await maintenance("report", "--json")
    after = SCHEDULE.calendar.last_completed(dt.datetime.now(dt.UTC))
    assert code == 3, "nobody has been there for months"
    assert json.loads(out)["month"] in {f"{before:%Y-%m}", f"{after:%Y-%m}"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--month", "2025-13"), "'2025-13' is no month: write YYYY-MM"),
        (("--month", "yesterday"), "is no month: write YYYY-MM"),
        (("--month", "2030-12"), "lies in the future: the present month is 20"),
        (("--month", "1990-01"), "the trading calendar knows the months from 1998-01 to 2030-12"),
        (("--month", "2025-10", "--html", "/no such folder/x.html"), "name a file in a folder that is there"),
        (("--month", "2025-10", "--html", "/tmp"), "name a file in a folder that is there"),
        (("--json", "--html", "x.html"), "--json and --html: give one of them"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_the_cure_before_any_server_is_asked(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
    code, out, err = await run(COMMAND, "report", *arguments, **nowhere)
    assert code == 2
    assert words in err
    if "--html" not in arguments:
        code, out, _ = await run(COMMAND, "report", *arguments, "--json", **nowhere)
        assert (code, json.loads(out)["exit_code"]) == (2, 2)
        assert words in json.loads(out)["error"]


async def test_a_month_before_the_data_and_a_file_that_cannot_be_written_are_refused(
    stack: Stack, maintenance: Maintenance
) -> None:
    code, out, err = await maintenance("report", "--month", "2019-05")
    assert (code, out) == (2, "")
    assert "2019-05 is before the data begin: the first session that is kept is 2025-10-21" in err
    code, out, err = await maintenance("report", "--month", "2025-10", "--html", "/proc/x.html")
    assert (code, out) == (2, "")
    assert "--html /proc/x.html cannot be written: " in err


async def test_a_report_is_read_from_postgresql_alone(stack: Stack, maintenance: Maintenance) -> None:
    code, out, err = await maintenance("report", "--month", "2025-10", REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, err) == (0, "")
    assert out.startswith("October 2025 is whole")


async def test_a_page_that_stands_there_is_replaced_and_a_device_is_written_to(
    stack: Stack, maintenance: Maintenance, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("x" * 100_000)
    code, _, _ = await maintenance("report", "--month", "2025-10", "--html", str(path))
    assert (code, Page(path.read_text("utf-8")).wrong) == (0, [])
    link = tmp_path / "link.html"
    link.symlink_to(path)
    path.write_text("")
    code, _, _ = await maintenance("report", "--month", "2025-10", "--html", str(link))
    assert (code, link.is_symlink(), path.read_text("utf-8")[:15]) == (0, True, "<!doctype html>")
