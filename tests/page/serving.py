"""Composes the page over a stack, as the service composes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.page.routes import add_page
from consumer.settings import Settings, read_settings
from consumer.web.app import Access, build_app
from consumer.web.monitor import Monitor
from consumer.web.reads import Reads
from tests.cycle.stack import LEASE, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from consumer.verdict.reading import Judged
    from tests.cycle.stack import Stack

TOKEN = "secret"


def settings_of(redis_url: str, *, token: str | None = None) -> Settings:
    """The settings of a stack's service."""
    settings = read_settings(
        {"MASSIVE_API_KEY": "any", "REDIS_URL": redis_url, "MAINTENANCE_LEASE": f"{LEASE.total_seconds():g}s"}
    )
    return msgspec.structs.replace(
        settings, api_token=token, ohlc_sessions=OPTIONS.ohlc_sessions, slot_sessions=OPTIONS.slot_sessions
    )


def monitor_of(stack: Stack, *, published: Callable[[], Judged | None] = lambda: None) -> Monitor:
    """What the page and `maintenance status` ask."""
    return Monitor(
        pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock, published=published
    )


def page_of(stack: Stack, redis_url: str, *, token: str | None = None) -> web.Application:
    """The HTTP API of *stack* with the page on it."""
    monitor = monitor_of(stack)
    reads = Reads(stack.pool, stack.services.calendar)
    app = build_app(monitor, stack.stream, reads, Access(token=token), max_deliveries=5)
    add_page(app, settings_of(redis_url, token=token), monitor, stack.stream)
    return app
