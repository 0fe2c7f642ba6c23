"""What an answer may weigh and how it may be packed: none costs more than its bound, and none passes for empty."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.massive import paged as asking
from consumer.massive.access import Access, Patience
from consumer.massive.answer_bounds import BOUNDS, AnswerBound
from consumer.massive.answers import Answer
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.vendor.body import BodyReader
from consumer.vendor.errors import (
    AnswerTooLarge,
    KeyRejected,
    ProviderUnavailable,
    TickerNotFound,
    VendorError,
)
from consumer.vendor.questions import Question
from tests.massive.scripted_vendor import (
    DETAILS,
    KEY,
    Naps,
    Reply,
    ScriptedVendor,
    any_sieve,
    reply_of,
    scripted_vendor,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

EMPTY = b'{"status":"OK","results":[]}'
BLANKS = b" " * 3_000_000
GZIP = {"Content-Encoding": "gzip"}
SINCE, UNTIL = dt.date(2026, 7, 1), dt.date(2026, 7, 2)


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound of two megabytes in place of eight: what is tried here needs not be larger than that."""
    for endpoint in Question:
        monkeypatch.setitem(BOUNDS, endpoint, AnswerBound(size=2_000_000, rows=1_000))


def packed(body: bytes, how: str = "gzip") -> Reply:
    return Reply(body=body, headers={"Content-Encoding": how})


UNUSABLE = {
    "nothing": (Reply(body=b""), "an empty body"),
    "nothing, said to be packed": (packed(b""), "an empty body"),
    "blanks": (Reply(body=b" \n\t" * 9), "no text but 27 blanks"),
    "packed blanks": (packed(gzip.compress(b" " * 5_000)), "no text but 5000 blanks"),
    "blanks and then no JSON": (Reply(body=b" " * 5_000 + b"soon"), "no JSON object but 'soon'"),
    "an object of nothing": (Reply(body=b"{}"), "none of an answer's fields"),
    "another object": (Reply(body=b'{"hello": 1}'), "none of an answer's fields"),
    "blanks without end": (Reply(body=BLANKS), "announces 3000000 bytes"),
    "an answer after blanks without end": (packed(gzip.compress(BLANKS + EMPTY)), "is longer than 2000000 bytes"),
    "an answer before blanks without end": (packed(gzip.compress(EMPTY + BLANKS)), "is longer than 2000000 bytes"),
    "gzip cut off": (packed(gzip.compress(EMPTY)[:-3]), "its gzip does not come to its end"),
    "gzip cut off after its head": (packed(gzip.compress(EMPTY)[:10]), "its gzip does not come to its end"),
    "no gzip": (packed(EMPTY), "is not the gzip that it says"),
    "gzip and rubbish": (packed(gzip.compress(EMPTY) + b"and more"), "something else after its gzip"),
    "gzip and zeros": (packed(gzip.compress(EMPTY) + bytes(512)), "something else after its gzip"),
    "gzip with a wrong sum": (packed(gzip.compress(EMPTY)[:-8] + bytes(8)), "is not the gzip that it says"),
    "gzip of thousands of members": (packed(gzip.compress(b"") * 3_000 + gzip.compress(EMPTY)), "more than 64 members"),
    "gzip in gzip": (packed(gzip.compress(gzip.compress(EMPTY)), "gzip, gzip"), "packed as 'gzip, gzip'"),
    "deflate": (packed(zlib.compress(EMPTY), "deflate"), "packed as 'deflate', and gzip was asked for"),
    "brotli": (packed(EMPTY, "br"), "packed as 'br'"),
    "zstd": (packed(EMPTY, "zstd"), "packed as 'zstd'"),
    "packed as nobody knows": (packed(EMPTY, "x" * 300), "packed as 'x{40}'"),
    "objects without end": (Reply(body=b'{"status":"OK","results":[' + b"{}," * 9_000 + b"{}]}"), "more objects than"),
    "lists without end": (Reply(body=b'{"status":"OK","results":[' + b"[]," * 9_000 + b"[]]}"), "more objects than"),
}


@pytest.mark.parametrize("how", UNUSABLE)
async def test_a_body_that_cannot_be_an_answer_is_told_for_what_it_is_asked_again_and_never_taken_for_empty(
    client: MassiveClient, vendor: ScriptedVendor, how: str
) -> None:
    reply, reason = UNUSABLE[how]
    vendor.will_answer(reply, reply, reply)
    with pytest.raises(ProviderUnavailable, match=reason):
        await client.list_splits(SINCE, UNTIL, sieve=any_sieve())
    assert len(vendor.requests) == 3
    vendor.will_answer(reply, Reply(body=EMPTY))
    assert await client.list_splits(SINCE, UNTIL, sieve=any_sieve()) == [], "and the next answer is taken"


MEMBERS = {
    "one": gzip.compress(EMPTY),
    "two": gzip.compress(EMPTY[:9]) + gzip.compress(EMPTY[9:]),
    "an empty one before and blanks after": gzip.compress(b"") + gzip.compress(EMPTY) + gzip.compress(b" \n"),
}


@pytest.mark.parametrize("members", MEMBERS)
async def test_gzip_of_one_member_or_several_is_read_to_its_end(
    client: MassiveClient, vendor: ScriptedVendor, members: str
) -> None:
    vendor.will_answer(packed(MEMBERS[members]), packed(MEMBERS[members], "X-GZIP"))
    for _ in range(2):
        assert await client.list_splits(SINCE, UNTIL, sieve=any_sieve()) == []
    assert vendor.requests[0].headers["Accept-Encoding"] == "gzip"


async def test_an_answer_as_large_as_its_bound_is_taken_packed_or_not(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    body = EMPTY + b" " * (2_000_000 - len(EMPTY))
    vendor.will_answer(Reply(body=body), packed(gzip.compress(body)))
    for _ in range(2):
        assert await client.list_splits(SINCE, UNTIL, sieve=any_sieve()) == []


class Endless:
    """A server whose bodies have no end; it notices when it is hung up on."""

    def __init__(
        self, *, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b" " * 65_536
    ) -> None:
        self.hung_up = asyncio.Event()
        self._status, self._headers, self._body = status, headers or {}, body

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self._status, headers=self._headers)
        await response.prepare(request)
        try:
            while True:
                await response.write(self._body)
        finally:
            self.hung_up.set()

    @contextlib.asynccontextmanager
    async def asked_by(self, http: aiohttp.ClientSession) -> AsyncIterator[MassiveClient]:
        app = web.Application()
        app.router.add_get("/{tail:.*}", self.answer)
        async with TestServer(app) as server:
            yield MassiveClient(
                http,
                Access(
                    base_url=str(server.make_url("")).rstrip("/"),
                    api_key=KEY,
                    budget=UnlimitedBudget(),
                    patience=Patience(tries=1, rate_limited_tries=1, sleep=Naps()),
                ),
            )


def gzip_without_end() -> bytes:
    """A piece of one that unpacks to a thousand times itself, and may be sent again and again."""
    return zlib.compress(b" " * 4_000_000, wbits=31)


@pytest.mark.parametrize(
    "endless", [Endless(), Endless(headers=GZIP, body=gzip_without_end())], ids=["as it is", "packed"]
)
async def test_a_body_without_end_is_read_to_its_bound_and_hung_up_on(
    http: aiohttp.ClientSession, endless: Endless
) -> None:
    async with endless.asked_by(http) as client:
        with pytest.raises(AnswerTooLarge, match="is longer than 2000000 bytes"):
            await client.ticker_details("A", sieve=any_sieve())
        await endless.hung_up.wait()


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, ProviderUnavailable), (401, KeyRejected), (403, ProviderUnavailable), (404, ProviderUnavailable),
     (429, ProviderUnavailable), (302, ProviderUnavailable)],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, GZIP], ids=["as it is", "packed"])
async def test_of_a_refusal_without_end_the_beginning_is_read_and_its_status_counts(
    http: aiohttp.ClientSession, status: int, error: type[VendorError], headers: dict[str, str]
) -> None:
    endless = Endless(status=status, headers=headers, body=gzip_without_end() if headers else b" " * 65_536)
    async with endless.asked_by(http) as client:
        with pytest.raises(error, match=f"answered {status}: its body was left unread: .*longer than 65536"):
            await client.ticker_details("A", sieve=any_sieve())
        await endless.hung_up.wait()


@pytest.mark.parametrize(
    "reply",
    [Reply(status=404, body=b" " * 99), packed(b"no gzip"), Reply(status=404, body=b" " * 99_000)],
    ids=["blanks", "no gzip", "blanks without end"],
)
async def test_a_404_that_says_nothing_in_many_bytes_makes_no_ticker_unknown(
    client: MassiveClient, vendor: ScriptedVendor, reply: Reply
) -> None:
    vendor.will_answer(*[Reply(status=404, body=reply.body, headers=reply.headers)] * 3)
    with pytest.raises(ProviderUnavailable):
        await client.ticker_details("A", sieve=any_sieve())
    vendor.will_answer(Reply(status=404))
    with pytest.raises(TickerNotFound):
        await client.ticker_details("A", sieve=any_sieve())


async def test_headers_without_end_are_given_up(http: aiohttp.ClientSession) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"X-Header: any\r\n" * 1_000)
                await writer.drain()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        client = MassiveClient(
            http,
            Access(
                base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                api_key=KEY,
                budget=UnlimitedBudget(),
                patience=Patience(tries=1),
            ),
        )
        with pytest.raises(ProviderUnavailable, match="broke off") as caught:
            await client.ticker_details("A", sieve=any_sieve())
    assert len(str(caught.value)) < 400


async def test_pages_that_are_large_and_many_end_at_the_bound_of_the_question(
    client: MassiveClient, vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES_OF_A_QUESTION", 3_000_000)
    rows = [{"ticker": f"A{number}", "free_float": 1} for number in range(3)]
    for number in range(5):
        page = {"status": "OK", "results": rows, "next_url": f"/stocks/vX/float?cursor={number}", "x": "x" * 1_200_000}
        vendor.will_answer(reply_of(page))
    with pytest.raises(AnswerTooLarge, match="goes on after 3 pages"):
        await client.list_floats(sieve=any_sieve())
    assert len(vendor.requests) == 3


async def test_large_answers_are_read_a_few_at_a_time_and_ordinary_ones_beside_them(
    http: aiohttp.ClientSession, vendor: ScriptedVendor
) -> None:
    reader = BodyReader(ordinary=1_000, large_at_once=1)
    goes_on = asyncio.Event()

    async def in_two(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 2_000)
        if request.path == "/waits":
            await goes_on.wait()
        await response.write(b"x")
        return response

    async def read(url: str) -> int:
        async with http.get(url) as response:
            return len(await reader.whole(response, "", most=9_000))

    app = web.Application()
    app.router.add_get("/{tail:.*}", in_two)
    async with scripted_vendor() as small, TestServer(app) as server:
        holds = asyncio.create_task(read(str(server.make_url("/waits"))))
        async with asyncio.timeout(10):
            while not reader.full:  # noqa: ASYNC110 - until what came first is known to be large
                await asyncio.sleep(0)
        waits = asyncio.create_task(read(str(server.make_url("/comes"))))
        small.will_answer(Reply(body=b"x" * 900))
        assert await read(small.url) == 900, "an ordinary one passes"
        assert not waits.done()
        goes_on.set()
        assert await asyncio.gather(holds, waits) == [2_001, 2_001]


async def test_an_endpoint_that_sends_bombs_is_told_for_them_and_not_for_its_silence(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    vendor.will_answer(*[packed(gzip.compress(BLANKS))] * 9, DETAILS)
    for _ in range(3):
        with pytest.raises(AnswerTooLarge, match="is longer than 2000000 bytes"):
            await client.ticker_details("A", sieve=any_sieve())
    assert (await client.ticker_details("A", sieve=any_sieve())).ticker == "A"


@pytest.mark.parametrize(
    "reply",
    [packed(gzip.compress(BLANKS)), Reply(body=b"x" * 1_900_000), Reply(body=b"[" * 1_900_000), Reply(status=500)],
    ids=["too long", "no JSON", "objects", "a refusal"],
)
async def test_a_failure_that_is_kept_keeps_nothing_of_its_answer(
    client: MassiveClient, vendor: ScriptedVendor, reply: Reply
) -> None:
    vendor.will_answer(reply, reply, reply)
    with pytest.raises(ProviderUnavailable) as caught:
        await client.list_splits(SINCE, UNTIL, sieve=any_sieve())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    frame = caught.value.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name.startswith("test_"):
            frame = frame.tb_next
            continue
        for value in frame.tb_frame.f_locals.values():
            assert not isinstance(value, bytes | bytearray | str) or len(value) < 100_000
            assert not isinstance(value, Answer)
        frame = frame.tb_next


async def test_a_bomb_costs_the_others_no_waiting(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(packed(gzip.compress(BLANKS)), DETAILS)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await client.ticker_details("A", sieve=any_sieve())
    counting.cancel()
    assert turns > 30, "each piece of 64 kB that it unpacks to lets others go on"
