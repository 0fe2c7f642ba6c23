"""Answers GET /pending: the same JSON as `maintenance pending --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.checks.pending_work import read_pending
from consumer.web.problems import json_answer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from redis.asyncio import Redis


def pending_handler(
    redis: Redis, *, lease: dt.timedelta, max_deliveries: int
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of the route."""

    async def pending(request: web.Request) -> web.Response:
        """What is held, queued and parked."""
        return json_answer(await read_pending(redis, lease=lease, max_deliveries=max_deliveries))

    return pending
