"""Holds docs/faults.md and docs/earlier-faults.md to the tests: each fault names some, and they exist."""

from __future__ import annotations

import pytest

from tests.contract.named_tests import missing, rows_of


@pytest.mark.parametrize(("document", "faults"), [("earlier-faults.md", 23), ("faults.md", 102)])
def test_each_fault_is_proven_by_tests_that_exist(document: str, faults: int) -> None:
    rows = rows_of(document)
    assert sorted(rows) == list(range(1, faults + 1))
    assert missing(rows) == []
    assert all(rows.values())
