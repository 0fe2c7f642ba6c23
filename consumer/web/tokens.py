"""Refuses a request that changes something without the token, where one is wanted."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from consumer.web.problems import problem

if TYPE_CHECKING:
    from aiohttp import web


def refusal_without_token(request: web.Request, token: str | None) -> web.Response | None:
    """401 where *request* does not send *token*; None where it does, or where none is wanted."""
    if token is None:
        return None  # only a listener on loopback has none
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    # A header may hold bytes that are no UTF-8; they must fail the comparison, not the request.
    given = sent.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "bearer" and secrets.compare_digest(given, token.encode()):
        return None
    refused = problem(401, "a bearer token is needed: send Authorization: Bearer <MAINTENANCE_API_TOKEN>")
    refused.headers["WWW-Authenticate"] = "Bearer"
    return refused
