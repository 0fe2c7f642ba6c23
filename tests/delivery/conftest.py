"""Gives the tests of delivery what is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Every line that is logged meanwhile: its message and its facts."""
    lines: list[dict[str, Any]] = []
    sink = logger.add(lambda line: lines.append({"message": line.record["message"], **line.record["extra"]}), level=0)
    yield lines
    logger.remove(sink)
