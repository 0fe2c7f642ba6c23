"""Who may ask the API: nobody by a name that is not ours, no page of another site; and what is no HTTP is told so."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from consumer.settings import read_settings
from consumer.web.callers import foreign_host, foreign_page
from consumer.web.monitor import Monitor
from consumer.web.serving import serve_http
from contract import keys
from tests.cycle.stack import DAY

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

OURS = frozenset({"localhost", "maintenance.example.com"})


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8008", "127.0.0.1", "10.42.0.17:8008", "[::1]:8008", "[fe80::1%25eth0]:8008", "[2001:db8::1]",
        "localhost", "LOCALHOST:8008", "localhost.:8008", "Maintenance.Example.COM", "maintenance.example.com.:443",
        "localhost:",
    ],
)  # fmt: skip
def test_an_address_and_a_name_of_ours_may_be_asked_by(host: str) -> None:
    assert foreign_host(headers(("Host", host)), OURS) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8008", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost",
        "127.1", "0x7f.0.0.1", "2130706433", "[::1].evil.example", "[::1", "::1", "user@127.0.0.1", "127.0.0.1:80:80",
        "localhost:http", "127.0.0.1, evil.example", ":8008", "a b", "\udcff", "localhost..",
        "maintenance.example.com.evil.example",
    ],
)  # fmt: skip
def test_any_other_host_is_refused_with_the_cure(host: str) -> None:
    refused = foreign_host(headers(("Host", host)), OURS)
    assert refused is not None
    assert "127.0.0.1:8008" in refused or "HTTP_ALLOWED_HOSTS" in refused


def test_several_hosts_are_refused_none_is_no_browser_and_what_a_proxy_adds_is_not_read() -> None:
    assert foreign_host(headers(("Host", "localhost"), ("Host", "localhost")), OURS) is not None
    assert foreign_host(headers(), OURS) is None
    assert foreign_host(headers(("Host", "")), OURS) is None
    assert foreign_host(headers(("Host", " ")), OURS) is None
    assert foreign_host(headers(("Host", ""), ("Host", "evil.example")), OURS) is not None
    assert foreign_host(headers(("Host", "localhost"), ("X-Forwarded-Host", "evil.example")), OURS) is None
    assert foreign_host(headers(("Host", "evil.example"), ("X-Forwarded-Host", "localhost")), OURS) is not None


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        ((), False),
        ((("Sec-Fetch-Site", "same-origin"),), False),
        ((("Sec-Fetch-Site", "None"),), False),
        ((("Sec-Fetch-Site", "same-site"),), True),
        ((("Sec-Fetch-Site", "cross-site"),), True),
        ((("Sec-Fetch-Site", ""),), True),
        ((("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")), True),
        ((("Sec-Fetch-Site", "same-origin"), ("Origin", "http://127.0.0.1:8008")), False),
        ((("Sec-Fetch-Site", "same-origin"), ("Origin", "https://maintenance.example.com")), False),  # by a proxy
        ((("Sec-Fetch-Site", "cross-site"), ("Origin", "http://127.0.0.1:8008")), True),
        ((("Origin", "HTTP://127.0.0.1:8008"),), False),
        ((("Origin", "http://127.0.0.1:3000"),), True),
        ((("Origin", "null"),), True),
        ((("Origin", ""),), True),
        ((("Origin", "https://elsewhere.example"),), True),
    ],
)
def test_a_post_of_another_sites_page_is_refused(sent: tuple[tuple[str, str], ...], refused: bool) -> None:
    assert (foreign_page(headers(("Host", "127.0.0.1:8008"), *sent)) is not None) is refused


def test_a_page_that_names_no_origin_is_not_taken_for_one_that_names_no_host() -> None:
    assert foreign_page(headers(("Origin", "null"))) is not None
    assert foreign_page(headers(("Host", ""), ("Origin", ""))) is not None


async def test_a_rebound_name_reads_nothing(client: Client) -> None:
    for path in ("/health", "/status", "/pending", "/nowhere"):
        answer = await client.get(path, headers={"Host": "evil.example"})
        assert (answer.status, answer.content_type) == (421, "application/problem+json")
        assert "HTTP_ALLOWED_HOSTS" in (await answer.json(content_type=None))["detail"]


async def test_a_page_of_another_site_asks_for_no_work_whatever_it_sends(
    stack: Stack, client: Client, guarded: Client
) -> None:
    for asked in (client, guarded):
        for path in ("/trigger", f"/cycles/{DAY}/cancel"):
            answer = await asked.post(path, headers={"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer secret"})
            assert (answer.status, answer.content_type) == (403, "application/problem+json")
    for form in ("text/plain", "multipart/form-data; boundary=x"):
        answer = await client.post("/trigger", data=b"{}", headers={"Content-Type": form})
        assert (answer.status, answer.content_type) == (415, "application/problem+json")
    assert await stack.redis.xlen(keys.TASKS.name) == 0


REFUSED_BODIES = [
    (rb'{"reason": "a\u0000b"}', "one printable line"),
    (rb'{"reason": "a\ud800b"}', "the body is not understood"),
    (rb'{"reason": "a\u001b[2Jb"}', "one printable line"),
    (rb'{"reason": "two\nlines"}', "one printable line"),
    (b'{"reason": ""}', "one printable line"),
    (b'{"by": "\xff"}', "body"),
    (b'{"by": " ann"}', "no blanks around it"),
    (b'{"by": "' + b"x" * 201 + b'"}', "at most 200"),
    (b'{"reason": "' + b"x" * 1001 + b'"}', "at most 1000"),
    (b'{"reason": "one", "reason": "two"}', "keep one"),
    (b'{"reason": 1}', "str"),
    (b"[" * 60_000, "object"),
    (b"[]", "object"),
]


async def test_a_text_that_postgresql_or_a_log_could_not_keep_is_refused_where_it_comes_in(
    client: Client,
) -> None:
    for body, cure in REFUSED_BODIES:
        answer = await client.post(f"/cycles/{DAY}/cancel", data=body, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.content_type) == (400, "application/problem+json"), body[:50]
        assert cure in (await answer.json(content_type=None))["detail"]


REFUSED_REQUESTS = [
    ("GET", "/status?trading_day=2025-11-11", 400, "no query parameters"),
    ("GET", "/status?a=1&a=2", 400, "no query parameters"),
    ("POST", "/trigger?trading_day=2025-11-11", 400, "JSON in its body"),
    ("POST", "/cycles/20251111/cancel", 400, "YYYY-MM-DD"),
    ("POST", "/cycles/2025-W46-2/cancel", 400, "YYYY-MM-DD"),
    ("POST", "/cycles/%00/cancel", 400, "YYYY-MM-DD"),
    ("POST", "/cycles/%2e%2e%2f/cancel", 400, "YYYY-MM-DD"),
    ("DELETE", "/status", 405, "use GET, HEAD"),
    ("OPTIONS", "/trigger", 405, "use POST"),
    ("GET", "/trigger", 405, "use POST"),
    ("GET", "/", 404, "GET /health"),
]


async def test_what_a_route_does_not_know_is_refused_and_not_passed_over(stack: Stack, client: Client) -> None:
    for method, path, status, cure in REFUSED_REQUESTS:
        answer = await client.request(method, path)
        assert (answer.status, answer.content_type) == (status, "application/problem+json"), (method, path)
        assert cure in (await answer.json(content_type=None))["detail"]
        assert (answer.headers.get("Allow") is not None) is (status == 405)
    assert await stack.redis.xlen(keys.TASKS.name) == 0
    answer = await client.head("/health")
    assert (answer.status, await answer.read()) == (200, b"")
    assert (await client.get("/health?_=1764125643")).status == 200  # as monitors ask past caches


_HOST = b"Host: 127.0.0.1\r\n"
NO_REQUESTS = {
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no method": b"JUNK /health HTTP/1.1\r\n" + _HOST + b"\r\n",
    "bytes in the path": b"POST /cycles/\xff/cancel HTTP/1.1\r\n" + _HOST + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\r\n\r\n",
    "a path without end": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: \x00\r\n\r\n",
    "a length below nought": b"POST /trigger HTTP/1.1\r\n" + _HOST + b"Content-Length: -1\r\n\r\n",
    "a broken chunk": b"POST /trigger HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no gzip": b"POST /trigger HTTP/1.1\r\n" + _HOST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "half a percent sign": b"POST /cycles/%zz/cancel HTTP/1.1\r\n" + _HOST + b"\r\n",
    "chunks on a read": b"GET /status HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a broken chunk on a read": b"GET /status HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a body on a read": b"GET /status HTTP/1.1\r\n" + _HOST + b"Content-Length: 2\r\n\r\n{}",
}


async def _said(port: int, raw: bytes) -> tuple[int, str, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = await reader.readexactly(int(head.lower().partition("content-length: ")[2].split()[0]))
    writer.close()
    return int(head.split()[1]), head, json.loads(body)


async def test_what_is_no_request_is_a_problem_document_too_and_no_traceback(
    stack: Stack, logged: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    monitor = Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)
    async with serve_http(read_settings({"HTTP_PORT": "0"}), monitor, stack.stream) as url:
        port = int(url.rpartition(":")[2])
        for what, raw in NO_REQUESTS.items():
            status, head, document = await _said(port, raw)
            assert (status, "application/problem+json" in head, document["status"]) == (400, True, 400), what
        expecting = b"POST /trigger HTTP/1.1\r\n" + _HOST + b"Expect: junk\r\nContent-Length: 0\r\n\r\n"
        assert (await _said(port, expecting))[2]["status"] == 417
        assert (await _said(port, b"GET /health HTTP/1.0\r\n\r\n"))[0] == 200
    assert not [line for line in logged if line.get("level") == "ERROR"]
    assert not [record for record in caplog.records if record.name == "aiohttp.server"]


async def test_a_read_may_say_in_chunks_that_it_has_no_body_also_later_than_its_head(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /health HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # the head has been read, and the rest is yet to come
    writer.write(b"0\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n")
    writer.close()


async def test_a_fault_of_ours_is_a_problem_document_and_its_traceback_is_logged(
    stack: Stack, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)

    async def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(monitor, "status", broken)
    async with serve_http(read_settings({"HTTP_PORT": "0"}), monitor, stack.stream) as url:
        status, head, document = await _said(int(url.rpartition(":")[2]), b"GET /status HTTP/1.1\r\n" + _HOST + b"\r\n")
    assert (status, "application/problem+json" in head) == (500, True)
    assert "http_request_failed" in document["detail"]
    assert [line["runbook"] for line in logged if line["event"] == "http_request_failed"] == ["http-request-failed"]
