"""Holds the page on invariants, the table of mutations and the code to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "invariants.md").read_text("utf-8")
ROWS = {row.split("|")[1].strip().strip("*"): row for row in PAGE.splitlines() if row.startswith("| **I")}


def test_the_page_has_all_eighteen_each_with_a_test_and_a_mutation() -> None:
    assert list(ROWS) == [f"I{number}" for number in range(1, 19)]
    assert {mutation.invariant for mutation in MUTATIONS} == set(ROWS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.invariant} {mutation.what}")
def test_a_mutation_is_on_the_page_and_changes_what_is_there(mutation: Mutation) -> None:
    path, _, test = mutation.test.partition("::")
    assert mutation.what in ROWS[mutation.invariant]
    assert f"`{test}`" in ROWS[mutation.invariant]
    assert mutation.old in (ROOT / mutation.file).read_text("utf-8"), "the text it replaces is gone: write it anew"
    assert f"def {test}(" in (ROOT / path).read_text("utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    texts = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert [name for name in sorted(named) if f"def {name}(" not in texts] == []
