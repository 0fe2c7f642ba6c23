"""An export that is killed goes on where it stopped, with nothing half written and nothing written twice."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from consumer.export.folder import UNFINISHED
from tests.export.conftest import WINDOWS, session
from tests.export.killed_export import POINTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cycle.stack import Stack
    from tests.export.conftest import Maintenance
    from tests.terminal.conftest import Run

pytestmark = pytest.mark.crash


def written(to: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in to.rglob("*.parquet")}


@pytest.mark.parametrize("point", POINTS)
async def test_the_same_command_goes_on_after_a_kill(
    served: Stack, run: Run, maintenance: Maintenance, to: Path, point: str
) -> None:
    command = ("export", "--from", session(3), "--to", session(0), "--to-dir", str(to))
    code, _, _ = await run("tests.export.killed_export", point, *command, **WINDOWS)
    assert code == -signal.SIGKILL
    stood = written(to)
    in_place = 3 if point == "in its place, not told" else 2
    assert len(stood) == in_place if "read, nothing" not in point else len(stood) < 3
    for path in stood:
        pl.read_parquet(path)
    if point in ("in the middle of a file", "written, not read back", "read back, not in its place"):
        assert list(to.rglob(f".*{UNFINISHED}")), "the point lies between two effects"

    code, out, err = await maintenance(*command)

    assert (code, list(to.rglob(f".*{UNFINISHED}"))) == (0, []), err
    assert len(out.splitlines()) == 4 + 4 + 1 + 3 - len(stood), out
    assert {path: at for path, at in written(to).items() if path in stood} == stood, "written twice"
    finished = written(to)
    code, out, err = await maintenance(*command)
    assert (code, out) == (0, "")
    assert "12 unchanged" in err
    assert written(to) == finished
