"""Holds docs/evidence.md to the tests: every row names one that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "evidence.md").read_text("utf-8").splitlines() if line.startswith("| ")]


def test_every_row_names_a_test_and_every_test_that_is_named_exists() -> None:
    rows = [row for row in ROWS if not row.startswith(("| field |", "| figure |"))]
    assert len(rows) > 20
    assert [row for row in rows if "`test_" not in row] == []
    texts = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", "\n".join(rows)))
    assert [name for name in sorted(named) if f"def {name}(" not in texts] == []
