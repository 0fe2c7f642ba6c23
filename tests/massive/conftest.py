"""A client and the scripted vendor it asks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from loguru import logger

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from tests.massive.scripted_vendor import KEY, Naps, ScriptedVendor, scripted_vendor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import aiohttp


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(max_in_flight=8) as session:
        yield session


@pytest.fixture
def client(http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps) -> MassiveClient:
    """A client without limits whose waits take no time, drawn at their longest."""
    return MassiveClient(
        http,
        Access(
            base_url=vendor.url,
            api_key=KEY,
            budget=UnlimitedBudget(sleep=naps),
            patience=Patience(sleep=naps, draw=lambda: 1.0, max_pages=5),
        ),
    )


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    sink = io.StringIO()
    handler = logger.add(sink, serialize=True)
    yield sink
    logger.remove(handler)
