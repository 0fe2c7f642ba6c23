"""Gives each of the processes that share a run its part of the long tests first: none is left with one at the end.

A process begins with an equal, contiguous part of all tests and takes from the others what they have not begun yet.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def seconds_of(item: pytest.Item) -> float:
    """What the mark `long` says that the test takes, mostly waiting; 0 without it."""
    mark = item.get_closest_marker("long")
    return float(mark.args[0]) if mark is not None else 0.0


def spread(items: list[pytest.Item], parts: int) -> list[pytest.Item]:
    """Return *items* in *parts* contiguous parts of equal length, each beginning with its share of the long ones."""
    heads: list[list[pytest.Item]] = [[] for _ in range(parts)]
    loads = [0.0] * parts
    files: dict[Path, list[pytest.Item]] = {}  # whose tests may share what is dear to make
    for item in items:
        if seconds_of(item):
            files.setdefault(item.path, []).append(item)
    for file in sorted(files.values(), key=_seconds, reverse=True):
        least = loads.index(min(loads))
        heads[least] += file
        loads[least] += _seconds(file)
    others = iter([item for item in items if not seconds_of(item)])
    ordered: list[pytest.Item] = []
    left = len(items)
    for number, head in enumerate(heads):
        length = left // (parts - number)  # as the scheduler deals them out
        left -= length
        ordered += [*head, *itertools.islice(others, max(0, length - len(head)))]
    return [*ordered, *others]


def _seconds(file: list[pytest.Item]) -> float:
    return sum(map(seconds_of, file))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After they were shuffled."""
    shared: dict[str, int] = getattr(config, "workerinput", {})
    if parts := shared.get("workercount", 0):
        items[:] = spread(items, parts)
