"""The example of delivery runs, and delivery lifted into an empty project runs it with nothing else of ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from redis.asyncio import Redis

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "delivery_alone.py"
ENDS_WITHIN_S = 60.0


EVERY_MODULE = """
import importlib, importlib.util, pkgutil, consumer.delivery as delivery
assert importlib.util.find_spec("contract") is None, "the test is worth nothing: all of ours can be imported"
for module in pkgutil.iter_modules(delivery.__path__):
    importlib.import_module(f"consumer.delivery.{module.name}")
"""


async def run(home: Path, *words: str) -> str:
    """What Python prints with nothing importable but *home* and the libraries."""
    # -S: an editable installation of ours is found by a .pth file, which only `site` reads.
    path = os.pathsep.join((str(home), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", *words, cwd=home, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(ENDS_WITHIN_S):
        told, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    return told.decode()


def lifted(folder: Path) -> Path:
    """An empty project with delivery in it, and the example."""
    (folder / "consumer").mkdir()
    (folder / "consumer" / "__init__.py").touch()
    shutil.copytree(ROOT / "consumer" / "delivery", folder / "consumer" / "delivery")
    return Path(shutil.copy(EXAMPLE, folder))


@pytest.mark.parametrize("alone", [False, True], ids=["here", "lifted into an empty project"])
async def test_work_outlives_its_worker_and_is_done_once_with_delivery_alone(
    redis_url: str, redis: Redis, tmp_path: Path, alone: bool
) -> None:
    example, home = (lifted(tmp_path), tmp_path) if alone else (EXAMPLE, ROOT)
    told = (await run(home, str(example), redis_url)).splitlines()
    assert sorted(told[:-1]) == ["hello ann, delivery 2", "hello ben, delivery 1", "hello cem, delivery 1"]
    assert told[-1] == "left: 0, dead letters: 1"


async def test_no_module_of_delivery_needs_anything_else_of_ours(tmp_path: Path) -> None:
    lifted(tmp_path)
    await run(tmp_path, "-c", EVERY_MODULE)
