"""Holds docs/data-dictionary.md to the views that SQL readers find: name, where it comes from, what it means."""

from __future__ import annotations

import re
from pathlib import Path

from consumer.catalogue.documents import page_with
from consumer.postgres.reader_views import views

WRITTEN = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text("utf-8")
OF_READERS = WRITTEN.partition("\n## What readers find\n")[2].partition("\n## ")[0]


def test_the_data_dictionary_lists_every_view_for_readers_with_its_meaning_and_no_other() -> None:
    listed = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", OF_READERS, re.MULTILINE)
    assert listed == sorted((view.name, view.source.split()[0], view.meaning) for view in views())


def test_what_the_page_says_of_data_sets_and_tables_is_what_they_declare() -> None:
    """`python -m consumer.catalogue.documents` writes it."""
    assert page_with(WRITTEN) == WRITTEN
