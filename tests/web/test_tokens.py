"""Who may read and who may ask for work: by bearer token, by password in a browser, and never by the wrong one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from consumer.settings import BadSettings, read_settings
from consumer.web.app import build_app
from consumer.web.reads import Reads
from consumer.web.tokens import Access, access_of
from tests.cycle.stack import DAY
from tests.web.conftest import clock, market, monitor_of, postgres_dsn, stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

__all__ = ["clock", "market", "postgres_dsn", "stack"]
ACCESS = Access(token="new", token_before="old", read_token="reader", read_token_before="former reader")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def password(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def statuses(client: Client, method: str, path: str, *headers: dict[str, str]) -> list[int]:
    return [(await client.request(method, path, headers=one)).status for one in headers]


async def test_each_token_opens_what_it_is_for_and_nothing_opens_the_probes_less(stack: Stack) -> None:
    reads = Reads(stack.pool, stack.services.calendar)
    app = build_app(monitor_of(stack), stack.stream, reads, ACCESS, max_deliveries=5)
    async with TestClient(TestServer(app)) as client:
        right = [bearer(token) for token in ("new", "old", "reader", "former reader")]
        wrong = [{}, bearer("readers"), bearer(""), bearer("\udcff"), {"Authorization": "reader"}]
        assert await statuses(client, "GET", "/next-run", *right) == [200] * 4
        assert await statuses(client, "GET", "/next-run", *wrong) == [401] * 5
        assert await statuses(client, "HEAD", "/next-run", *right[:1], *wrong[:1]) == [200, 401]
        browser = [password(text) for text in ("anybody:reader", ":new", "reader:", "a:reader:", "\xff")]
        assert await statuses(client, "GET", "/next-run", *browser) == [200, 200, 401, 401, 401]
        assert await statuses(client, "GET", "/next-run", {"Authorization": "Basic ***"}) == [401]

        cancel = f"/cycles/{DAY}/cancel"
        assert await statuses(client, "POST", cancel, *right) == [404, 404, 403, 403]
        assert await statuses(client, "POST", cancel, *wrong) == [401] * 5
        assert await statuses(client, "POST", cancel, password(":new")) == [401], "a browser adds it by itself"

        for path in ("/livez", "/health"):
            assert await statuses(client, "GET", path, {}) == [200]
        assert await statuses(client, "GET", "/nowhere", {}) == [404]
        refused = await client.get("/next-run")
        assert refused.headers.getall("WWW-Authenticate") == [
            "Bearer",
            'Basic realm="data maintenance", charset="UTF-8"',
        ]
        document = await (await client.post(cancel, headers=bearer("reader"))).json(content_type=None)
        assert (document["type"], document["instance"]) == ("/problems/read-only", cancel)


def test_tokens_come_from_files_and_what_leaves_a_door_open_is_refused_with_the_cure(tmp_path: Path) -> None:
    files = {}
    for name in ("MAINTENANCE_API_TOKEN", "MAINTENANCE_API_TOKEN_BEFORE", "MAINTENANCE_READ_TOKEN"):
        (tmp_path / name).write_text(f"{name.lower()}\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    access = access_of(read_settings(files))
    assert access.to_operate == ("maintenance_api_token", "maintenance_api_token_before")
    assert access.to_read == ("maintenance_read_token", *access.to_operate)
    assert (access_of(read_settings({})).to_operate, access_of(read_settings({})).to_read) == ((), ())

    for environment, cure in (
        ({"HTTP_HOST": "0.0.0.0"}, "set MAINTENANCE_API_TOKEN as well"),
        ({"HTTP_HOST": "0.0.0.0", "MAINTENANCE_READ_TOKEN": "a"}, "set MAINTENANCE_API_TOKEN as well"),
        ({"MAINTENANCE_READ_TOKEN": "a"}, "set both"),
        ({"MAINTENANCE_API_TOKEN_BEFORE": "a"}, "set MAINTENANCE_API_TOKEN as well"),
        ({"MAINTENANCE_API_TOKEN": "a", "MAINTENANCE_READ_TOKEN_BEFORE": "b"}, "set MAINTENANCE_READ_TOKEN as well"),
        ({"MAINTENANCE_API_TOKEN": "a", "MAINTENANCE_READ_TOKEN": "a"}, "are the same"),
    ):
        with pytest.raises(BadSettings, match=cure):
            read_settings(environment)
