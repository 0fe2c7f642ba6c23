"""Answers a request that names itself (`Idempotency-Key`) once, and again with the same answer; in every process."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from aiohttp import web

from consumer.postgres import idempotency
from consumer.postgres.idempotency import Claim
from consumer.web import problem_kinds as kinds
from consumer.web.bodies import BadRequest, body_of
from consumer.web.callers import READS
from consumer.web.problems import problem
from contract.flat_fields import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

    from consumer.postgres.idempotency import KeptAnswer
    from consumer.web.monitor import Monitor

    _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[ -~]{1,200}", re.ASCII)


def once(monitor: Monitor) -> Middleware:
    """Return the middleware. A refusal gives the key back, since nothing was done: it may be asked anew."""

    @web.middleware
    async def answer_once(request: web.Request, handler: _Handler) -> web.StreamResponse:
        sent = request.headers.getall(HEADER, [])
        if request.method in READS or not sent or request.match_info.http_exception is not None:
            return await handler(request)
        claim = await _claim(request, sent, monitor)
        if (before := await idempotency.claim(monitor.pool, claim)) is not None:
            return _again(before, claim)
        return await _answered(request, handler, monitor, claim)

    return answer_once


def request_name(request: web.Request) -> str | None:
    """The name of the work in the stream, where the request named itself: sent twice, it is one piece of work."""
    sent = request.headers.getall(HEADER, [])
    return f"http-{_digest(_key(sent))[:32]}" if sent else None


async def _claim(request: web.Request, sent: list[str], monitor: Monitor) -> Claim:
    key = _key(sent)
    asked = b"\n".join((request.method.encode(), request.path.encode("utf-8", "replace"), await body_of(request)))
    return Claim(
        key_digest=_digest(key),
        fingerprint=hashlib.sha256(asked).hexdigest(),
        at=monitor.now(),
    )


def _key(sent: list[str]) -> str:
    key = sent[0].strip().removeprefix('"').removesuffix('"')
    if len(sent) > 1 or not _KEY.fullmatch(key):
        raise BadRequest(f"{HEADER} {quote(', '.join(sent))} is none: send one, of up to 200 printable characters")
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def _answered(request: web.Request, handler: _Handler, monitor: Monitor, claim: Claim) -> web.StreamResponse:
    try:
        answer = await handler(request)
    except Exception:
        await idempotency.give_back(monitor.pool, claim)
        raise
    if answer.status >= 300 or not isinstance(answer, web.Response):
        await idempotency.give_back(monitor.pool, claim)
        return answer
    body = answer.body if isinstance(answer.body, bytes) else b""
    location = answer.headers.get("Location")
    await idempotency.keep(monitor.pool, claim, status=answer.status, location=location, body=body)
    return answer


def _again(before: KeptAnswer, claim: Claim) -> web.Response:
    if before.fingerprint != claim.fingerprint:
        detail = f"this {HEADER} was sent with another path or body: give each request its own"
        return problem(422, detail, kind=kinds.KEY_OF_ANOTHER)
    if before.status is None:
        detail = f"the request with this {HEADER} is being answered: ask again in a second"
        return problem(409, detail, headers={"Retry-After": "1"}, kind=kinds.UNDER_WAY)
    headers = {"Idempotency-Replayed": "true"} | ({"Location": before.location} if before.location else {})
    return web.Response(body=before.body or b"", status=before.status, headers=headers, content_type="application/json")
