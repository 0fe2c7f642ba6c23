"""Holds docs/data-dictionary.md to the views that SQL readers find: name, where it comes from, what it means."""

from __future__ import annotations

import re
from pathlib import Path

from consumer.postgres.reader_views import views

WRITTEN = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text("utf-8")


def test_the_data_dictionary_lists_every_view_for_readers_with_its_meaning_and_no_other() -> None:
    listed = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", WRITTEN, re.MULTILINE)
    assert listed == sorted((view.name, view.source.split()[0], view.meaning) for view in views())
