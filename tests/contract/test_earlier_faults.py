"""Holds docs/earlier-faults.md to the tests: all 23 faults are there, and each names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAULTS = (ROOT / "docs" / "earlier-faults.md").read_text("utf-8")


def rows() -> dict[int, list[tuple[str, str]]]:
    found = {}
    for line in FAULTS.splitlines():
        if match := re.match(r"\| (\d+) \|", line):
            found[int(match[1])] = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
    return found


def test_each_of_the_23_faults_is_proven_by_tests_that_exist() -> None:
    assert sorted(rows()) == list(range(1, 24))
    missing = [
        f"{path}::{name}"
        for named in rows().values()
        for path, name in named
        if not re.search(rf"def {name}\(", (ROOT / path).read_text("utf-8"))
    ]
    assert missing == []
    assert all(named for named in rows().values())
