"""Holds the runbook to the code: every heading that a log line names is there, and tells what to do."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def named_in_code() -> set[str]:
    texts = (
        path.read_text("utf-8") for package in ("consumer", "producers") for path in (ROOT / package).rglob("*.py")
    )
    return {name for text in texts for name in re.findall(r'runbook="([\w-]+)"', text)}


def test_every_heading_that_a_log_line_names_is_in_the_runbook() -> None:
    headings = set(re.findall(r"^## ([\w-]+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.MULTILINE))
    assert named_in_code() <= headings
    assert len(named_in_code()) >= 3
