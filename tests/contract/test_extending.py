"""Follows docs/extending.md word for word in a copy of the tree: its files, its changes, its commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from consumer.vendor.protocol import MarketDataVendor

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
COPIED = (
    "market", "contract", "process", "producers", "simulated_market", "consumer", "tests", "docs",
    "pyproject.toml", "README.md",
)  # fmt: skip


class Step(NamedTuple):
    """One block of the page, and the file that it is of."""

    kind: str
    path: str
    text: str


def steps(chapter: str) -> list[Step]:
    """The blocks of a chapter in order; a block is of the file that was named last."""
    text = PAGE.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    found, path = [], ""
    for line, kind, block in re.findall(r"^`([\w/.]+)`[^\n]*$|^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        path = line or path
        if kind:
            found.append(Step(kind, path, block))
    return found


def changed(text: str, diff: str) -> str:
    """*text* with *diff* made in it, whose own lines stand there once."""
    lines = diff.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " +")
    assert text.count(before) == 1, f"this stands {text.count(before)} times:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.long(15)
@pytest.mark.parametrize(("chapter", "count"), [("A data set", 2), ("Another vendor", 4)])
def test_a_chapter_followed_word_for_word_leads_to_what_works(tree: Path, chapter: str, count: int) -> None:
    commands: list[str] = []
    for step in steps(chapter):
        path = tree / step.path
        match step.kind:
            case "python" | "sql":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
            case "diff":
                path.write_text(changed(path.read_text("utf-8"), step.text), encoding="utf-8")
            case "sh":
                commands += step.text.splitlines()
    assert len(commands) == count
    python = Path(sys.executable)
    environment = os.environ | {"PYTHONPATH": str(tree), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    for command in commands:
        ran = subprocess.run(command.split(), cwd=tree, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-3000:]}{ran.stderr[-2000:]}"


def test_the_page_has_every_question_of_a_vendor_and_no_other() -> None:
    table = PAGE.partition("| question |")[2].partition("\n\n")[0]
    asked = {name for name in vars(MarketDataVendor) if not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == asked


def test_every_file_that_the_page_links_to_exists() -> None:
    links = re.findall(r"\]\((?!#|http)([^)#]+)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
