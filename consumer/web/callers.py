"""Refuses requests that a page in somebody's browser may have made without his knowledge.

Two ways lead from a page to a service on his machine. Its name may be pointed at our address afterwards (DNS
rebinding): then `Host` is a name that is not ours. Or it posts across sites: then the browser says so, in
`Sec-Fetch-Site` or `Origin`, which no page can change. An address in `Host` was resolved by nobody and cannot be
rebound: probes of containers, which send theirs, need no setting. What proxies add (`X-Forwarded-Host`) is not read.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from aiohttp import web

from consumer.web import problem_kinds as kinds
from consumer.web.problems import problem
from contract.flat_fields import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.typedefs import Middleware
    from multidict import CIMultiDictProxy

    _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OWN_NAMES = frozenset({"localhost"})
SAFE_FETCHES = frozenset({"same-origin", "none"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?P<host>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>\d{0,5}))?", re.ASCII)


def only_our_callers(names: Iterable[str]) -> Middleware:
    """Return the middleware; *names* are further ones under which the service is reached."""
    ours = OWN_NAMES | {_folded(name) for name in names}

    @web.middleware
    async def refuse_others(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if (refused := foreign_host(request.headers, ours)) is not None:
            return problem(421, refused)
        if request.method not in READS and (refused := foreign_page(request.headers)) is not None:
            return problem(403, refused, kind=kinds.OTHER_SITE)
        return await handler(request)

    return refuse_others


def foreign_host(headers: CIMultiDictProxy[str], ours: frozenset[str]) -> str | None:
    """Why `Host` is not this service's, with the cure; None where it is.

    A request without one, or with an empty one (as some load balancers probe), comes from no browser.
    """
    sent = headers.getall("Host", [])
    if not "".join(sent).strip():
        return None
    match = _HOST.fullmatch(sent[0].strip()) if len(sent) == 1 else None
    if match is None:
        return f"Host {quote(', '.join(sent))} is no name and no address: send one, such as 127.0.0.1:8008"
    host = match["host"]
    if _is_address(host) or _folded(host) in ours:
        return None
    return (
        f"this service is not known as {quote(host)}: ask it by its address, or by localhost; if the name is yours, "
        "add it to HTTP_ALLOWED_HOSTS"
    )


def foreign_page(headers: CIMultiDictProxy[str]) -> str | None:
    """Why a request that changes something comes from another site's page; None where it does not.

    Browsers without `Sec-Fetch-Site` send at least `Origin`; whoever sends neither is no page. Where there is the first
    it alone counts: behind a proxy that writes its own `Host` the page's origin is another.
    """
    cure = "a page of another site may not ask for work: send it from a program, such as curl or `maintenance trigger`"
    fetched = headers.getall("Sec-Fetch-Site", [])
    if any(one.strip().lower() not in SAFE_FETCHES for one in fetched):
        return f"Sec-Fetch-Site {quote(', '.join(fetched))}: {cure}"
    if fetched:
        return None
    own, origins = headers.get("Host", "").strip().lower(), headers.getall("Origin", [])
    if any(not own or one.strip().lower().partition("://")[2] != own for one in origins):
        return f"Origin {quote(', '.join(origins))}: {cure}"
    return None


def _is_address(host: str) -> bool:
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        else:
            ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _folded(name: str) -> str:
    return name.lower().removesuffix(".")
