"""Gives the tests of delivery what is logged, and a Redis that they may hurt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from consumer.embedded.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Every line that is logged meanwhile: its message and its facts."""
    lines: list[dict[str, Any]] = []
    sink = logger.add(lambda line: lines.append({"message": line.record["message"], **line.record["extra"]}), level=0)
    yield lines
    logger.remove(sink)


@pytest.fixture
async def own_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    """A Redis that the test may freeze."""
    place: Path = tmp_path_factory.mktemp("r")
    place.chmod(0o711)
    server = EmbeddedRedis(place)
    await server.start()
    yield server
    await server.stop()
