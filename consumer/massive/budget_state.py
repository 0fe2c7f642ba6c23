"""Looks at the request budget of one API key as it stands in Redis now; asks for no request and changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.massive.budget import budget_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

    from consumer.massive.budget import Ration, Window

_MILLION = 1_000_000


class WindowState(msgspec.Struct, frozen=True, kw_only=True):
    """One limit: of *limit* requests a *name* (second or minute) *used* are granted, some for a little later.

    *endpoint* is empty for the limit of the whole key. *free_at*: when the next request may go out, where it must wait.
    """

    endpoint: str
    name: str
    limit: int
    used: int
    free_at: dt.datetime | None = None


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """The budget at *at*, by the clock of Redis. *paused_until*: the vendor asked for a pause until then."""

    at: dt.datetime
    paused_until: dt.datetime | None
    windows: tuple[WindowState, ...]


async def read_budget_state(redis: Redis, ration: Ration) -> BudgetState:
    """Read it at one instant. Raises RedisError where Redis does not answer, or something else stands at its keys."""
    named = list(_named(ration))
    async with redis.pipeline(transaction=True) as looks:
        looks.time()
        looks.get(budget_keys(ration.api_key, ration.windows)[0])
        for _, window, key in named:
            looks.lrange(key, 0, window.limit - 1)
        found: list[Any] = await looks.execute()
    (seconds, microseconds), pause, *grants = found
    now = int(seconds) * _MILLION + int(microseconds)
    until = _number(pause)
    return BudgetState(
        at=_instant(now),
        paused_until=_instant(until) if until > now else None,
        windows=tuple(
            _state(endpoint, window, [_number(one) for one in some], now=now)
            for (endpoint, window, _), some in zip(named, grants, strict=True)
        ),
    )


def _named(ration: Ration) -> Iterator[tuple[str, Window, str]]:
    """Each limit with its endpoint and its key."""
    of_all = budget_keys(ration.api_key, ration.windows)[1:]
    yield from (("", window, key) for window, key in zip(ration.windows, of_all, strict=True))
    for endpoint, windows in ration.endpoint_windows.items():
        own = budget_keys(ration.api_key, windows, endpoint=endpoint)[1:]
        yield from ((endpoint, window, key) for window, key in zip(windows, own, strict=True))


def _state(endpoint: str, window: Window, grants: list[int], *, now: int) -> WindowState:
    """*grants*: the latest ones, newest first, at most as many as the limit."""
    length = window.length // dt.timedelta(microseconds=1)
    used = [grant for grant in grants if grant + length > now]
    full = len(used) >= window.limit
    return WindowState(
        endpoint=endpoint,
        name=window.name,
        limit=window.limit,
        used=len(used),
        free_at=_instant(used[-1] + length) if full else None,
    )


def _number(text: str | bytes | None) -> int:
    """What somebody else has written there counts for nothing, as when a request is granted."""
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _instant(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(microseconds / _MILLION, tz=dt.UTC)
