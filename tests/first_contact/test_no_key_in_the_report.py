"""The report is sent to others: it holds no key, whatever a vendor or a proxy echoes."""

from __future__ import annotations

import base64
from urllib.parse import quote

import msgspec
from aiohttp import web

from tests.first_contact.making import ACCESS, KEY, NOON, SECRET, contact


async def echoing(request: web.Request) -> web.Response:
    """A vendor that repeats the key wherever it can."""
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    packed = base64.b64encode(f"Bearer {key}".encode()).decode()
    body = {
        "status": "OK",
        "request_id": key,
        "message": f"key {quote(key, safe='')} in {packed}",
        "next_url": f"https://api.massive.com/v3/reference/tickers?apiKey={key}&cursor=x",
        "results": [{"ticker": key, "T": "AAPL", "v": 1.5, "c": 2.0, "t": 0, "note": key}],
    }
    return web.json_response(body, headers={"X-RateLimit-Key": key})


async def test_a_vendor_that_echoes_the_key_puts_it_into_nothing_that_is_kept() -> None:
    app = web.Application()
    app.router.add_get("/{anything:.*}", echoing)
    report = msgspec.json.encode(await contact(app, NOON)).decode()
    assert "X-RateLimit-Key".lower() in report, "what it echoed is there"
    for secret in (KEY, ACCESS, SECRET):
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-2]):
            assert form not in report


async def test_the_key_goes_to_the_configured_host_alone() -> None:
    asked: list[tuple[str, str]] = []

    async def noted(request: web.Request) -> web.Response:
        asked.append((request.host, request.query_string))
        rows = [{"ticker": f"T{number:04}"} for number in range(1000)]
        return web.json_response(
            {"status": "OK", "results": rows, "next_url": "https://elsewhere.example/v3/reference/tickers?cursor=x"}
        )

    app = web.Application()
    app.router.add_get("/{anything:.*}", noted)
    report = await contact(app, NOON)
    assert len({host for host, _ in asked}) == 1
    assert not any(KEY in query for _, query in asked)
    assert "it names elsewhere.example" in next(one.seen for one in report.seen if one.assumption == "next_page")
