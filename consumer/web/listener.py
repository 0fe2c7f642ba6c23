"""Listens for HTTP, and answers also what never becomes a request of ours as a problem document.

The library answers a line that is no HTTP, or a fault of ours, by itself: in plain text, and with a traceback in the
log for each line that a port scanner sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web
from loguru import logger

from consumer.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_WORDS = 200


class _Answering(web.RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.opt(exception=exc).error("http_request_failed", path=request.path, runbook="http-request-failed")
        else:
            logger.debug("http_request_not_understood", reason=str(exc))
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        answer = problem(status, _words(status, message))
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Also what the library refuses before a route is asked, such as an `Expect` that nobody knows."""
        if isinstance(resp, web.HTTPException):
            resp = problem(resp.status, _words(resp.status, resp.text))
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Of what is left of a connection whose request is answered, and its failures told by then."""
        logger.debug("http_connection_ended", reason=str(kw.get("exc_info")))


def _words(status: int, message: str | None) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return (
            "this is a fault of the service: its log has `http_request_failed`; `maintenance status` asks without HTTP"
        )
    problem = " ".join((message or "").split())[:LONGEST_WORDS]
    return f"this is no HTTP request as this service reads them: {problem}; see GET /status"


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve *app* until the context ends; gives address and port. Raises OSError where nothing may listen there."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        manager, loop = runner.server, asyncio.get_running_loop()
        assert manager is not None, "set up above"
        answering = functools.partial(_Answering, manager, loop=loop, access_log=None)  # type: ignore[arg-type]
        server = await loop.create_server(answering, host, port, reuse_address=True)
        try:
            yield server.sockets[0].getsockname()[:2]
        finally:
            server.close()
    finally:
        await runner.cleanup()
