"""`maintenance export` at a terminal: what it prints, what it exits by, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.export import folder
from consumer.export.folder import Folder
from consumer.export.place import PlaceRefused
from tests.export.conftest import session

if TYPE_CHECKING:
    from tests.cycle.stack import Stack
    from tests.export.conftest import Maintenance


def span(first: str, last: str) -> tuple[str, ...]:
    return ("export", "--from", first, "--to", last)


async def test_a_line_says_what_became_of_each_file_and_json_the_same(
    served: Stack, maintenance: Maintenance, to: Path
) -> None:
    bars = ("--data-set", "daily_bars", "--to-dir", str(to))
    code, out, err = await maintenance(*span(session(1), session(0)), *bars)
    assert (code, len(out.splitlines())) == (0, 2)
    assert out.splitlines()[0].startswith(f"{session(1)} daily_bars: written, ")
    assert err == f"{to}: 2 written\n"
    code, out, _ = await maintenance(*span(session(1), session(0)), *bars, "--json")
    assert code == 0
    assert [(one["trading_day"], one["outcome"], one["key"]) for one in json.loads(out)] == [
        (day, "unchanged", f"daily_bars/trading_date={day}/part.parquet") for day in (session(1), session(0))
    ]


async def test_what_lacks_is_told_with_exit_code_3(served: Stack, maintenance: Maintenance, to: Path) -> None:
    await served.pool.execute(
        "DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", dt.date.fromisoformat(session(1))
    )
    code, out, err = await maintenance(*span(session(1), session(0)), "--data-set", "daily_bars", "--to-dir", str(to))
    assert code == 3
    assert out.splitlines()[0].startswith(f"{session(1)} daily_bars: missing")
    assert err == f"{to}: 1 written, 1 missing\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2025-11-12", "--to", "2025-11-11"), "--from 2025-11-12 is after --to 2025-11-11"),
        (("--from", "2025-11-08", "--to", "2025-11-09"), "no session from 2025-11-08 to 2025-11-09"),
        (("--from", "2025-11-10", "--to", "2029-11-09"), "is not over yet"),
        (("--from", "2025-11-10", "--to", "2025-11-11", "--data-set", "bars"), "--data-set bars: nothing of that name"),
        (("--from", "1850-01-02", "--to", "1850-01-03"), "calendar"),
    ],
)
@pytest.mark.parametrize("json_too", [(), ("--json",)])
async def test_what_cannot_be_meant_exits_2_with_the_cure_before_anything_is_written(
    maintenance: Maintenance, to: Path, arguments: tuple[str, ...], words: str, json_too: tuple[str, ...]
) -> None:
    code, out, err = await maintenance("export", *arguments, "--to-dir", str(to), *json_too)
    assert code == 2
    assert words in err
    assert not to.exists()
    assert bool(out) is bool(json_too)
    if json_too:
        assert json.loads(out)["exit_code"] == 2


async def test_a_folder_that_cannot_be_one_is_refused_with_the_cure(maintenance: Maintenance, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("any")
    code, out, err = await maintenance(*span(session(1), session(0)), "--to-dir", str(tmp_path / "file" / "below"))
    assert (code, out) == (1, "")
    assert "Not a directory" in err
    assert "name another --to-dir" in err


@pytest.mark.skipif(sys.platform != "linux", reason="a file system of a given size is mounted")
async def test_a_full_disk_leaves_what_stood_and_names_the_cure(
    served: Stack, maintenance: Maintenance, to: Path
) -> None:
    to.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(to)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        code, _, err = await maintenance(*span(session(4), session(0)), "--to-dir", str(to))
        left = [path for path in to.rglob("*") if path.is_file() and path.suffix != ".parquet"]
        assert code == 1
        assert "free some disk space" in err
        assert [path.name for path in left] == [folder.LOCK]
    finally:
        subprocess.run(["umount", str(to)], check=True)


async def test_a_folder_that_may_not_be_written_is_told_as_such(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(to))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PlaceRefused, match="Permission denied; let the user of this service use it"):
        await Folder(to).open([])


async def test_a_database_that_is_away_is_told_as_such_and_the_folder_is_free_again(
    maintenance: Maintenance, to: Path
) -> None:
    command = (*span(session(1), session(0)), "--to-dir", str(to))
    code, out, err = await maintenance(*command, DATABASE_URL="postgresql://u:sesame-7@127.0.0.1:9/d")
    assert (code, out) == (4, "")
    assert "PostgreSQL does not answer" in err
    assert "sesame" not in err
    place = Folder(to)
    await place.open([])
    await place.close()


def test_without_polars_it_is_said_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "polars").mkdir()
    (tmp_path / "polars" / "__init__.py").write_text("raise ModuleNotFoundError('none', name='polars')\n")
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-m", "consumer.terminal", *span("2025-11-10", "2025-11-11"), "--to-dir", str(tmp_path / "x")],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'data-maintenance[export]'" in done.stderr
