"""Sends the requests of a first contact one after another, counts them, and keeps the outline of every answer.

Nothing of ours is counted on here: no shared budget, no cache, no reader of rows. What the vendor says of too many
requests is heeded, and is one of the things to learn. A key goes out in a header and into nothing that is kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from yarl import URL

from consumer.massive.answers import Answer, error_in, parse_retry_after
from consumer.vendor.body import BodyReader
from consumer.vendor.errors import ProviderUnavailable, VendorError
from consumer.vendor.first_contact import MOST_REQUESTS, Exchange
from process.redaction import hide, redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST_BYTES = 48 << 20  # the whole market's snapshot is some 5 MB
WINDOW_S = 60.0
A_LITTLE_S = 1.0
SAMPLE = 600  # characters
TOLD_HEADERS = ("retry-after", "ratelimit", "rate-limit", "content-encoding", "x-simulated-market")


class Spent(Exception):
    """All requests that may be made are made."""


class NoAnswer(Exception):
    """Twice nothing came that tells anything: a gateway's page, a lost connection, another 429."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An answer as it came. *error* is what the service makes of it, None where it is an answer to the question."""

    status: int
    body: Any
    error: VendorError | None

    @property
    def rows(self) -> list[Any]:
        """Its rows; none where it is no answer, or has none."""
        found = self.body if isinstance(self.body, list) else self.envelope.get("results")
        found = self.envelope.get("tickers") if found is None else found
        return found if isinstance(found, list) else []

    @property
    def envelope(self) -> dict[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def next_url(self) -> str | None:
        found = self.envelope.get("next_url")
        return found if isinstance(found, str) and found else None

    @property
    def words(self) -> str:
        """What it says of itself, in a line."""
        if self.error is not None:
            return redacted(str(self.error))[:300]
        return f"{self.status} {self.envelope.get('status', '')}".strip()


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How time passes, handed in; production: as it does."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(kw_only=True)
class Asker:
    """The requests to one address under one key."""

    http: aiohttp.ClientSession
    base_url: str
    key: str
    pace: Pace = field(default_factory=Pace)
    say: Callable[[str], None] = lambda _: None
    exchanges: list[Exchange] = field(default_factory=list)
    accepted_in_window: int = 0  # the most that were answered within a minute, without a refusal
    limited_after: int | None = None  # how many were answered in the minute before the first refusal
    retry_after: dt.timedelta | None = None
    spent: int = 0
    _answered: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        hide([self.key])

    async def ask(self, target: str) -> Heard:
        """The answer to the path and query *target*, once more asked for where none came. Raises Spent or NoAnswer."""
        heard = await self._once(target)
        if isinstance(heard.error, ProviderUnavailable):
            if heard.status == HTTPStatus.TOO_MANY_REQUESTS:
                if self.limited_after is None:
                    self.limited_after = self._within_window()
                await self._pause(self.retry_after.total_seconds() if self.retry_after else WINDOW_S + A_LITTLE_S)
            heard = await self._once(target)
        if isinstance(heard.error, ProviderUnavailable):
            raise NoAnswer(heard.words)
        return heard

    def take(self, what: str) -> None:
        """Count one request that is sent elsewhere. Raises Spent."""
        if self.spent >= MOST_REQUESTS:
            raise Spent
        self.spent += 1
        self.say(f"{self.spent}/{MOST_REQUESTS} {what}")

    def note(self, address: str, *, status: int, rows: int | None, said: str) -> None:
        """Keep the outline of what was asked elsewhere, the last that was taken."""
        self.exchanges.append(
            Exchange(
                number=self.spent,
                address=address,
                status=status,
                milliseconds=0,
                size=0,
                headers={},
                envelope={},
                rows=rows,
                sample=redacted(said)[:SAMPLE],
            )
        )

    async def _once(self, target: str) -> Heard:
        while self.limited_after is not None and self._within_window() >= max(self.limited_after, 1):
            await self._pause(WINDOW_S + A_LITTLE_S - (self.pace.clock() - self._answered[0]))
        self.take(target.partition("?")[0])
        began = self.pace.clock()
        try:
            return await self._exchange(target, began)
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ProviderUnavailable) as error:
            said = f"{type(error).__name__}: {error}"
            failure = ProviderUnavailable(redacted(said)[:300])
            self._keep(target, began, Heard(status=0, body=None, error=failure), size=0, headers={})
            return Heard(status=0, body=None, error=failure)

    async def _exchange(self, target: str, began: float) -> Heard:
        url = URL(self.base_url + target, encoded=True)
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.http.get(url, headers=headers, allow_redirects=False) as response:
            body = await BodyReader().whole(response, target.partition("?")[0], most=MOST_BYTES)
            told = {name.lower(): value for name, value in response.headers.items() if _is_told(name)}
            wait = parse_retry_after(response.headers.get("Retry-After"), now=dt.datetime.now(dt.UTC))
        answer = Answer(path=target.partition("?")[0], status=response.status, body=body, retry_after=wait)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            self.retry_after = wait
        else:
            self._answered.append(self.pace.clock())
            self.accepted_in_window = max(self.accepted_in_window, self._within_window())
        heard = Heard(status=response.status, body=_decoded(body), error=error_in(answer))
        self._keep(target, began, heard, size=len(body), headers=told)
        return heard

    def _within_window(self) -> int:
        while self._answered and self._answered[0] <= self.pace.clock() - WINDOW_S:
            self._answered.popleft()
        return len(self._answered)

    async def _pause(self, seconds: float) -> None:
        self.say(f"the vendor counts too many requests: waiting {max(seconds, 0.0):.0f} s")
        await self.pace.sleep(max(seconds, 0.0))

    def _keep(self, target: str, began: float, heard: Heard, *, size: int, headers: dict[str, str]) -> None:
        rows = heard.rows
        plain = {name: value for name, value in heard.envelope.items() if name not in ("results", "tickers")}
        first = rows[0] if rows else heard.envelope.get("results")
        sample = heard.words if first is None else json.dumps(first)
        self.exchanges.append(
            Exchange(
                number=self.spent,
                address=redacted(target),
                status=heard.status,
                milliseconds=round((self.pace.clock() - began) * 1000),
                size=size,
                headers={name: redacted(value)[:200] for name, value in headers.items()},
                envelope={redacted(name)[:60]: redacted(str(value))[:300] for name, value in plain.items()},
                rows=len(rows) if heard.error is None else None,
                sample=redacted(sample)[:SAMPLE],
            )
        )


def _is_told(name: str) -> bool:
    return any(word in name.lower() for word in TOLD_HEADERS)


def _decoded(body: bytes) -> Any:
    """As JSON, also where it is not quite: NaN, control characters, bytes that are no UTF-8. None: it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
