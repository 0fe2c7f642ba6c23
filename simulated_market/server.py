"""Takes a request through counting, faults, the key, the endpoint and encoding.

The one path that every request goes; which address belongs to which endpoint is in app.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import TYPE_CHECKING

from aiohttp import web

from simulated_market import vendor_errors
from simulated_market.answer import Answer, Call, encoded
from simulated_market.faults.distortions import distort, question
from simulated_market.faults.fault_set import Fault, FaultKind, FaultSet
from simulated_market.faults.refusals import refusal, vendor_reply
from simulated_market.identity import SOURCE_HEADER, source_of
from simulated_market.paging import effective_query
from simulated_market.reply import Drop, Reply
from simulated_market.request_log import RequestLog
from simulated_market.vendor_errors import VendorError

if TYPE_CHECKING:
    from simulated_market.options import SimulatorOptions

Compute = Callable[[Call], Answer]


class Server:
    """The state that requests share: options, faults and counters."""

    def __init__(self, options: SimulatorOptions, faults: FaultSet) -> None:
        self._options = options
        self.source = source_of(options)
        self.faults = faults
        self.log = RequestLog()

    def handler(self, endpoint: str, compute: Compute) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The aiohttp handler of one address."""

        async def handle(request: web.Request) -> web.Response:
            call = _call(endpoint, request)
            self.log.asked(call)
            struck = self.faults.strike(call, time.monotonic())
            if struck:
                self.log.struck()
            if delay := self._options.latency_ms + sum(fault.latency_ms for fault in struck):
                await asyncio.sleep(delay / 1000)
            reply = self._reply(request, call, compute, struck)
            if isinstance(reply, Drop):
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            self.log.answered(reply.http_status)
            return web.Response(
                status=reply.http_status,
                body=reply.body,
                content_type=reply.content_type,
                headers={**reply.headers, SOURCE_HEADER: self.source.mark},
            )

        return handle

    def _reply(self, request: web.Request, call: Call, compute: Compute, struck: list[Fault]) -> Reply | Drop:
        for fault in struck:
            if (instead := refusal(fault, call)) is not None:
                return instead
        try:
            self._check_key(request)
            asked = _with_cursor_read(call)
            for fault in struck:
                asked = question(fault, asked)
            answer = compute(asked)
        except VendorError as error:
            return vendor_reply(error, call)
        for fault in struck:
            distort(fault, call, answer)
        body = encoded(answer, call)
        cut = any(fault.kind is FaultKind.TRUNCATED_BODY for fault in struck)
        return Reply(http_status=200, body=body[: len(body) // 2] if cut else body)

    def _check_key(self, request: web.Request) -> None:
        if self._options.key is None:
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        given = key.strip() if scheme.lower() == "bearer" else request.query.get("apiKey", "")
        if not given:
            raise vendor_errors.no_key()
        if not compare_digest(given.encode(), self._options.key.encode()):
            raise vendor_errors.unknown_key()


def _call(endpoint: str, request: web.Request) -> Call:
    query = {name: value for name, value in request.query.items() if name != "apiKey"}
    path_and_query = request.path_qs
    if "apiKey" in request.query:
        path_and_query = str(request.rel_url.without_query_params("apiKey"))
    return Call(
        endpoint=endpoint,
        path=request.path,
        path_and_query=path_and_query,
        parts=request.match_info,
        query=query,
        origin=f"{request.scheme}://{request.host}",
    )


def _with_cursor_read(call: Call) -> Call:
    if "cursor" not in call.query:
        return call
    return Call(
        endpoint=call.endpoint,
        path=call.path,
        path_and_query=call.path_and_query,
        parts=call.parts,
        query=effective_query(call.query),
        origin=call.origin,
    )
