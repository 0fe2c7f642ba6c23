"""Serves /metrics: what the page knows, for Prometheus, in its text form or as OpenMetrics, whichever is asked for.

Read at most every few seconds, whoever asks. A server that is away is a metric, not an error of the scrape.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from consumer.page.overview import Desk
from consumer.web.metric_facts import Facts, read_facts
from consumer.web.metric_families import families

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

    from consumer.settings import Settings
    from consumer.web.monitor import Monitor

PATH = "/metrics"
#: Whoever asks within this time of another gets the same answer.
SAME_ANSWER_S = 5.0


class _Known(Collector):
    """What is known, to the client library."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        return families(self._facts)


class Metrics:
    """The answers of one process."""

    def __init__(self, monitor: Monitor, settings: Settings, *, same_answer_s: float = SAME_ANSWER_S) -> None:
        self._monitor = monitor
        self._settings = settings
        self._desk = Desk(monitor, settings)
        self._same_answer_s = same_answer_s
        self._turn = asyncio.Lock()
        self._known: tuple[float, Facts] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """200, also while a server is away."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Known(await self._facts()))
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def _facts(self) -> Facts:
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._known is None or now - self._known[0] >= self._same_answer_s:
                self._known = (now, await read_facts(self._monitor, self._desk, self._settings))
            return self._known[1]


def add_metrics(app: web.Application, metrics: Metrics) -> None:
    """Add the route to *app*; a read, and open as all reads are."""
    app.router.add_get(PATH, metrics.answer)
