"""Serves the operator page over one consumer and one simulated market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from consumer.page import shared
from tests.cycle.conftest import clock, market, postgres_dsn, stack
from tests.page.serving import TOKEN, page_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]


@pytest.fixture(autouse=True)
def _no_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is read anew, so that no test waits a second for the next answer."""
    monkeypatch.setattr(shared, "SAME_ANSWER_S", 0.0)


@pytest.fixture(name="client")
async def client_(stack: Stack, redis_url: str) -> AsyncIterator[TestClient[Any, Any]]:
    """A client that sends no token, to a page that wants none."""
    async with TestClient(TestServer(page_of(stack, redis_url))) as found:
        yield found


@pytest.fixture
async def guarded(stack: Stack, redis_url: str) -> AsyncIterator[TestClient[Any, Any]]:
    """A client that sends no token by itself, to a page that wants one."""
    async with TestClient(TestServer(page_of(stack, redis_url, token=TOKEN))) as found:
        yield found
