"""Reads which tests the rows of a table of faults name, and which of those do not exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows_of(document: str) -> dict[int, list[tuple[str, str]]]:
    """Return (file, test) by the number of the row of docs/*document*."""
    found = {}
    for line in (ROOT / "docs" / document).read_text("utf-8").splitlines():
        if match := re.match(r"\| (\d+) \|", line):
            found[int(match[1])] = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
    return found


def missing(rows: dict[int, list[tuple[str, str]]]) -> list[str]:
    return [
        f"{path}::{name}"
        for named in rows.values()
        for path, name in named
        if not re.search(rf"def {name}\(", (ROOT / path).read_text("utf-8"))
    ]
