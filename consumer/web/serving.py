"""Opens what the HTTP API needs, and serves it on its own port and, where that is set, on that of "historical"."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.page.routes import add_page
from consumer.postgres.pool import Client, open_pool
from consumer.runtime import end_all, watched
from consumer.settings import schemas_set
from consumer.web.app import Access, build_app
from consumer.web.earlier import StandsFor
from consumer.web.historical import serve_when_free
from consumer.web.listener import listening
from consumer.web.metrics import Metrics, add_metrics
from consumer.web.reads import AT_ONCE, Reads
from consumer.web.tokens import access_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from consumer.delivery.task_stream import TaskStream
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor


class HttpRefused(Exception):
    """The HTTP API has no address to listen on; the text names the cure."""


@contextlib.asynccontextmanager
async def serve_http(
    settings: Settings, monitor: Monitor, stream: TaskStream, *, database_url: str | None = None
) -> AsyncIterator[str]:
    """Serve until the context ends; gives the base URL. Raises HttpRefused where nothing may listen there.

    Market data are read by sessions of their own on *database_url*; without, by those of *monitor*.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(monitor.close)
        reads = await _open_reads(stack, settings, monitor, database_url)
        access = access_of(settings)
        build = functools.partial(build_app, monitor, stream, reads, max_deliveries=settings.max_deliveries)
        try:
            app = build(access)
            add_page(app, settings, monitor, stream)
            add_metrics(app, Metrics(monitor, settings))
            listener = listening(app, settings.http_host, settings.http_port)
            host, port = await stack.enter_async_context(listener)
        except (OSError, UnicodeError) as error:
            raise HttpRefused(
                f"HTTP_PORT {settings.http_port} cannot be used on {settings.http_host}: "
                f"{getattr(error, 'strerror', None) or error}. Set HTTP_PORT (or HTTP_HOST) to another"
            ) from error
        _stand_for_historical(stack, settings, functools.partial(build, _as_historical(access)))
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        logger.info("http_api_listening", url=url)
        yield url


async def _open_reads(
    stack: contextlib.AsyncExitStack, settings: Settings, monitor: Monitor, database_url: str | None
) -> Reads:
    """Few sessions of their own: whatever is read, the worker's are free for its work."""
    pool = monitor.pool
    if database_url is not None:
        client = Client(name="maintenance-http", schemas=schemas_set(settings), read_only=True)
        pool = await open_pool(database_url, lease=settings.lease, size=AT_ONCE + 1, client=client)
        stack.push_async_callback(pool.close)
    reads = Reads(pool, monitor.calendar)
    stack.push_async_callback(reads.close)
    return reads


def _as_historical(access: Access) -> Access:
    # By that name its readers ask it, in a stack that has this service in its place.
    names = (*access.names, StandsFor.HISTORICAL.value)
    return msgspec.structs.replace(access, names=names, stands_for=StandsFor.HISTORICAL)


def _stand_for_historical(
    stack: contextlib.AsyncExitStack, settings: Settings, build: Callable[[], web.Application]
) -> None:
    port = settings.historical_port
    if port is None:
        return
    serving = watched(serve_when_free(build, settings.http_host, port), functools.partial(_tell_unserved, port))
    stack.push_async_callback(end_all, [serving])


def _tell_unserved(port: int, failure: BaseException) -> None:
    """The API itself goes on: whoever asks "historical" finds nobody."""
    logger.error("historical_port_not_served", port=port, reason=str(failure), runbook="historical-port-taken")
