"""Says who may read and who may ask for work, and refuses everybody else, where tokens are set.

A read is open unless a read token is set. A browser cannot send a bearer token from its address line, nor with
server-sent events: it may give a token as the password of HTTP basic authentication, for reads alone. What changes
something wants the bearer token, which no browser adds by itself to what another site's page sends.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.web import problem_kinds as kinds
from consumer.web.callers import READS
from consumer.web.earlier import StandsFor
from consumer.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

    from consumer.settings import Settings

#: What containers and load balancers ask, which hold no token.
OPEN = frozenset({"/livez", "/readyz", "/health"})


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may ask. *token* None leaves POST open (only for loopback), *read_token* None leaves reads open.

    The tokens *before* are taken as well, while they are being changed. *names* are those of the service.
    """

    token: str | None = None
    token_before: str | None = None
    read_token: str | None = None
    read_token_before: str | None = None
    names: tuple[str, ...] = ()
    stands_for: StandsFor = StandsFor.DATA_MAINTENANCE

    @property
    def to_operate(self) -> tuple[str, ...]:
        """The tokens that may ask for work."""
        return tuple(one for one in (self.token, self.token_before) if one is not None)

    @property
    def to_read(self) -> tuple[str, ...]:
        """The tokens that may read; none where reads are open."""
        own = tuple(one for one in (self.read_token, self.read_token_before) if one is not None)
        return (*own, *self.to_operate) if own else ()


def access_of(settings: Settings) -> Access:
    """Return what the settings say of it."""
    return Access(
        token=settings.api_token,
        token_before=settings.api_token_before,
        read_token=settings.read_token,
        read_token_before=settings.read_token_before,
        names=(settings.http_host, *settings.http_allowed_hosts),
    )


def only_with_a_token(access: Access) -> Middleware:
    """Return the middleware; a path that there is not is no secret."""

    @web.middleware
    async def refuse_strangers(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.match_info.http_exception is None and (refused := refusal(request, access)) is not None:
            return refused
        return await handler(request)

    return refuse_strangers


def refusal(request: web.Request, access: Access) -> web.Response | None:
    """Why *request* may not be answered: 401, or 403 for a token that may read only; None where it may."""
    reads = request.method in READS
    if not (access.to_read if reads else access.to_operate) or (reads and request.path in OPEN):
        return None
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    # A header may hold bytes that are no UTF-8; they must fail the comparison, not the request.
    given = sent.strip().encode("utf-8", "surrogateescape")
    if reads and scheme.lower() == "basic":
        given, scheme = _password(given), "bearer"
    if scheme.lower() == "bearer":
        if _is_one_of(given, access.to_read if reads else access.to_operate):
            return None
        if not reads and _is_one_of(given, access.to_read):
            return problem(403, "this token may read only: send MAINTENANCE_API_TOKEN", kind=kinds.READ_ONLY)
    return _unknown(reads=reads)


def _unknown(*, reads: bool) -> web.Response:
    which = "<MAINTENANCE_READ_TOKEN>, or give it as the password" if reads else "<MAINTENANCE_API_TOKEN>"
    refused = problem(401, f"a bearer token is needed: send Authorization: Bearer {which}")
    refused.headers["WWW-Authenticate"] = "Bearer"
    if reads:
        refused.headers.add("WWW-Authenticate", 'Basic realm="data maintenance", charset="UTF-8"')
    return refused


def _is_one_of(given: bytes, tokens: tuple[str, ...]) -> bool:
    """Compares with each of them, so that time tells nothing of which it was."""
    return sum(secrets.compare_digest(given, token.encode()) for token in tokens) > 0


def _password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
