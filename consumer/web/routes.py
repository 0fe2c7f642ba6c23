"""Says what a route is: method, path, who answers, and what its query may ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from aiohttp import web

from consumer.web.asked import Nothing

Answering: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(msgspec.Struct, frozen=True):
    """One route; a GET answers HEAD as well. Paths without {names} stand before those that they would match."""

    method: str
    path: str
    answering: Answering
    asked: type[msgspec.Struct] = Nothing
