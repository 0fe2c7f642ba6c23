"""Rations the requests of one API key among all processes that use it.

Every request asks first; Redis, by its own clock, says when it may go out.  Never more than the limit in any rolling
window, whoever asks; without Redis nothing is sent.  Waits above a second are announced, not silent.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from consumer.vendor.errors import BudgetUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

Sleep = Callable[[float], Awaitable[object]]
OnWait = Callable[[float, str], None]

LONGEST_RESERVATION = dt.timedelta(seconds=2)
REDIS_PATIENCE = dt.timedelta(seconds=10)
# Between a grant and the vendor's clock lies the network: a second more makes five a minute hold there too.
MINUTE = dt.timedelta(seconds=61)
SECOND = dt.timedelta(seconds=1)

_ANNOUNCED_FROM_S = 1.0
_LOG_EVERY_S = 10.0
_MICROSECOND = dt.timedelta(microseconds=1)


class Budget(Protocol):
    """What the client needs of a budget."""

    async def acquire(self, endpoint: str = "") -> None:
        """Return when the next request, to that endpoint, may go out."""

    async def pause(self, duration: dt.timedelta) -> None:
        """Let nobody send for that long."""

    def recovery(self, attempt: int) -> dt.timedelta:
        """How long to pause after the *attempt*-th refusal that names no wait of its own."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """At most `limit` requests in any rolling `length`."""

    name: str
    limit: int
    length: dt.timedelta


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a request may go out after `wait`, or has to ask again then; `at_us` is by the clock of Redis."""

    granted: bool
    wait: dt.timedelta
    at_us: int
    reason: str


def budget_windows(*, per_second: int | None, per_minute: int | None) -> tuple[Window, ...]:
    """The windows for limits a second and a minute; None is no limit."""
    windows = []
    if per_second is not None:
        windows.append(Window(name="second", limit=per_second, length=SECOND))
    if per_minute is not None:
        windows.append(Window(name="minute", limit=per_minute, length=MINUTE))
    return tuple(windows)


def budget_keys(api_key: str | None, windows: Sequence[Window], *, endpoint: str = "") -> list[str]:
    """The Redis keys of one API key's budget, the pause first; the API key itself is not in them."""
    digest = hashlib.sha256((api_key or "").encode()).hexdigest()[:12]
    own = f"{endpoint}:" if endpoint else ""
    return [f"maintenance:budget:{digest}:{own}{name}" for name in ("pause", *(window.name for window in windows))]


class Ration(msgspec.Struct, frozen=True, kw_only=True):
    """What one key may ask. Without any window only pauses are asked for: at each request, or once in *look_every*."""

    api_key: str | None
    windows: Sequence[Window]
    endpoint_windows: Mapping[str, Sequence[Window]] = {}
    look_every: dt.timedelta = dt.timedelta(0)


class _Asked:
    """What the script is asked: the windows that a request has to fit into, all of them."""

    def __init__(self, keys: list[str], windows: Sequence[Window], *, endpoint: str = "") -> None:
        self.keys = keys
        self.arguments = [LONGEST_RESERVATION // _MICROSECOND]
        for window in windows:
            self.arguments += [window.limit, window.length // _MICROSECOND]
        told = f" to {endpoint}" if endpoint else ""
        self.reasons = ("", "the vendor asked for a pause", *(f"{w.limit} requests a {w.name}{told}" for w in windows))


class RequestBudget:
    """The budget of one API key, shared by every process that uses the same Redis."""

    def __init__(
        self,
        redis: Redis,
        ration: Ration,
        *,
        on_wait: OnWait | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        key, windows = ration.api_key, ration.windows
        self._look_every_s = ration.look_every.total_seconds()
        self._free_until = 0.0
        self._windows = tuple(windows)
        self._keys = budget_keys(key, windows)
        self._of_all = _Asked(self._keys, windows)
        self._of_endpoint = {
            endpoint: _Asked(
                [*self._keys, *budget_keys(key, own, endpoint=endpoint)[1:]], [*windows, *own], endpoint=endpoint
            )
            for endpoint, own in ration.endpoint_windows.items()
        }
        self._grant = redis.register_script(_script("budget_grant.lua"))
        self._pause = redis.register_script(_script("budget_pause.lua"))
        self._sleep = sleep
        self._announcer = _Announcer(on_wait)

    async def acquire(self, endpoint: str = "") -> None:
        """Return when the next request may go out; `BudgetUnavailable` where Redis does not answer."""
        while time.monotonic() >= self._free_until:
            decision = await self.ask(endpoint)
            wait_s = decision.wait.total_seconds()
            self._announcer.announce(wait_s, decision.reason)
            if wait_s > 0:
                await self._sleep(wait_s)
            if decision.granted:
                if not (self._windows or self._of_endpoint) and wait_s <= 0:
                    self._free_until = time.monotonic() + self._look_every_s
                return

    async def ask(self, endpoint: str = "") -> Decision:
        """One question to Redis.  A grant is spent, used or not; a long wait reserves nothing."""
        question = self._of_endpoint.get(endpoint, self._of_all)
        try:
            async with asyncio.timeout(REDIS_PATIENCE.total_seconds()):
                granted, wait, at, reason = await self._grant(keys=question.keys, args=question.arguments)
        except (RedisError, OSError) as error:
            raise BudgetUnavailable(f"Redis does not answer for the request budget: {error}") from error
        return Decision(
            granted=bool(granted),
            wait=dt.timedelta(microseconds=int(wait)),
            at_us=int(at),
            reason=question.reasons[int(reason)],
        )

    async def pause(self, duration: dt.timedelta) -> None:
        """Let no process send with this key for that long; a longer pause already set stays."""
        self._free_until = 0.0
        try:
            async with asyncio.timeout(REDIS_PATIENCE.total_seconds()):
                await self._pause(keys=self._keys[:1], args=[duration // _MICROSECOND])
        except (RedisError, OSError) as error:
            raise BudgetUnavailable(f"Redis does not answer for the request budget: {error}") from error

    def recovery(self, attempt: int) -> dt.timedelta:
        """A whole window of a limit a minute; else 1, 2, 4 … seconds, since a burst is over sooner."""
        if any(window.length >= dt.timedelta(minutes=1) for window in self._windows):
            return MINUTE
        return _doubling(attempt)


class UnlimitedBudget:
    """No limit, for a market of our own; it still keeps quiet when told to pause."""

    def __init__(self, *, sleep: Sleep = asyncio.sleep) -> None:
        self._not_before = 0.0
        self._sleep = sleep

    async def acquire(self, endpoint: str = "") -> None:
        """Return at once, or when the pause is over."""
        wait_s = self._not_before - time.monotonic()
        if wait_s > 0:
            await self._sleep(wait_s)

    async def pause(self, duration: dt.timedelta) -> None:
        """Let this process send nothing for that long."""
        self._not_before = max(self._not_before, time.monotonic() + duration.total_seconds())

    def recovery(self, attempt: int) -> dt.timedelta:
        """1, 2, 4 … seconds."""
        return _doubling(attempt)


class _Announcer:
    """Says that requests wait: to the callback each time, to the log at most every ten seconds."""

    def __init__(self, on_wait: OnWait | None) -> None:
        self._on_wait = on_wait
        self._logged_at = -_LOG_EVERY_S

    def announce(self, wait_s: float, reason: str) -> None:
        if wait_s <= _ANNOUNCED_FROM_S:
            return
        if self._on_wait is not None:
            self._on_wait(wait_s, reason)
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = now
            logger.bind(wait_s=round(wait_s, 1), reason=reason).info("Requests wait for the vendor's request budget")


def _doubling(attempt: int) -> dt.timedelta:
    return min(dt.timedelta(seconds=2.0 ** min(attempt - 1, 10)), dt.timedelta(minutes=1))


def _script(name: str) -> str:
    return files("consumer.massive").joinpath(name).read_text(encoding="utf-8")
