"""Tags answers, so that who has one already is not sent it again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.web.problems import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ETag

CACHED = {"Cache-Control": "no-cache"}


def is_known(request: web.Request, tag: str) -> bool:
    """Whether the caller says that he has what is tagged so, or anything."""
    known: tuple[ETag, ...] = request.if_none_match or ()
    return any(one.value in (tag, "*") for one in known)


def tagged_json(request: web.Request, value: object, *, but: Mapping[str, object] | None = None) -> web.Response:
    """Return *value* as JSON with an ETag, or 304 where the caller has it.

    *but*: the same without what changes with the clock alone, by which it is tagged then, weakly (RFC 9110, 8.8.1).
    """
    text = msgspec.json.encode(value if but is None else but)
    tag = hashlib.blake2b(text, digest_size=12).hexdigest()
    headers = {**CACHED, "ETag": f'"{tag}"' if but is None else f'W/"{tag}"'}
    if is_known(request, tag):
        return web.Response(status=304, headers=headers)
    return json_answer(value, headers=headers)
