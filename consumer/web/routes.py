"""Says what a route is: method, path, who answers, what it may be asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from consumer.web.asked import Nothing

Answering: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(msgspec.Struct, frozen=True):
    """One route; a GET answers HEAD as well. Paths without {names} stand before those that they would match.

    *asked*: what its query may say. *body*: what its body may say. *answer*: the type of what it answers with *status*;
    *tagged*: with an ETag.
    """

    method: str
    path: str
    answering: Answering
    asked: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    answer: Any = dict[str, object]
    status: int = 200
    tagged: bool = False
