"""Gives the extremes a vendor that answers with the bytes it is told, and a part that asks it by the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.massive.access import Access, Patience
from consumer.massive.answer_bounds import BOUNDS
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from tests.extremes.wire import Wire
from tests.postgres.conftest import pool  # noqa: F401  (a fixture)
from tests.tasks.conftest import cache, desk  # noqa: F401  (fixtures)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.tasks.conftest import Desk


@pytest.fixture
async def wire(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:  # noqa: F811  (the fixture)
    for endpoint, bound in BOUNDS.items():  # all extremes of a field come in one answer, longer than honest ones are
        monkeypatch.setitem(BOUNDS, endpoint, msgspec.structs.replace(bound, size=8 * bound.size))
    vendor = Wire(desk)
    app = web.Application()
    app.router.add_route("GET", "/{tail:.*}", vendor.answer)
    server = TestServer(app)
    await server.start_server()
    async with open_session(max_in_flight=16) as http:
        patience = Patience(tries=1, failures_to_open=1_000_000)
        desk.vendor = MassiveClient(  # type: ignore[assignment]
            http,
            Access(
                base_url=str(server.make_url("")).rstrip("/"),
                api_key="any",
                budget=UnlimitedBudget(),
                patience=patience,
            ),
        )
        yield vendor
    await server.close()
