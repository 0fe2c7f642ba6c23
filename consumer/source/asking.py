"""Finds out whose data an address gives.

The vendor's own hosts are the vendor, under both of its names. Any other address is a proxy of it, by another address,
unless the server there says that it is a simulated market. One that does not answer is no answer: it is asked again.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import msgspec
from loguru import logger

from consumer.vendor.body import BodyReader
from market.data_source import VENDOR, DataSource, source_of_mark
from simulated_market.identity import IDENTITY_PATH, SOURCE_HEADER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

VENDOR_HOSTS = frozenset({"api.massive.com", "api.polygon.io"})
PATIENCE_S = 10.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0


class SourceUnknown(Exception):
    """The address did not say whose data it gives; it may be on its way up."""


async def source_of_address(
    http: aiohttp.ClientSession, base_url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> DataSource:
    """Return whose data *base_url* gives; waits, and says so, while nobody answers there."""
    delay = FIRST_WAIT_S
    while True:
        try:
            return await ask_source(http, base_url)
        except SourceUnknown as error:
            logger.warning("source_not_known_yet", address=_shown(base_url), reason=str(error), retry_in_s=delay)
            await sleep(delay)
            delay = min(delay * 2, LONGEST_WAIT_S)


async def ask_source(http: aiohttp.ClientSession, base_url: str) -> DataSource:
    """Ask once. Raises SourceUnknown where the answer is none, or not its server's own (a gateway's, say)."""
    if is_the_vendors(base_url):
        return VENDOR
    try:
        # The key is not sent: this is a question to whoever listens there.
        async with http.get(
            base_url.rstrip("/") + IDENTITY_PATH,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        ) as answer:
            mark, status = answer.headers.get(SOURCE_HEADER), answer.status
            body, _ = await BodyReader().beginning(answer, IDENTITY_PATH)
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, TimeoutError, OSError) as error:
        raise SourceUnknown(f"{type(error).__name__} {error}") from error
    if mark is not None:
        return _named(mark, body)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SourceUnknown(f"it answered {status}")
    return VENDOR


def is_the_vendors(base_url: str) -> bool:
    """Whether *base_url* is one of the vendor's own addresses."""
    return (urlsplit(base_url).hostname or "").rstrip(".") in VENDOR_HOSTS


def _named(mark: str, body: bytes) -> DataSource:
    """The source of a market that says which it is; the body has its name for people."""
    source = source_of_mark(mark)
    if source is None:
        raise SourceUnknown(f"it names itself {mark[:80]!r}, which is no source")
    try:
        told = msgspec.json.decode(body, type=DataSource)
    except msgspec.DecodeError:
        return source
    return told if told.is_same(source) else source


def _shown(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
