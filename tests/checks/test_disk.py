"""The disk of the embedded servers is looked at while there is time."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from consumer.checks.finding import Level
from consumer.checks.surroundings import check_disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("free_gb", "level"), [(1.9, Level.WARNING), (2.1, Level.OK)])
def test_a_disk_that_fills_is_a_warning_with_the_growth_of_a_year(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, level: Level
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free_gb * 2**30)))
    found = check_disk(tmp_path)
    assert found.level is level
    assert bool(found.cure) == (level is Level.WARNING)
    if found.cure:
        assert "a year of the market takes about 6 GB" in found.cure
