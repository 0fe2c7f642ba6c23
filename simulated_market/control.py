"""Answers the simulator's own addresses: which market this is, what was asked, and which faults are in force.

Only for tests and people at a terminal; nothing here exists at the vendor, and nothing here is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from simulated_market.faults.fault_set import Fault
from simulated_market.identity import IDENTITY_PATH, SOURCE_HEADER

if TYPE_CHECKING:
    from simulated_market.server import Server


class Control:
    """The handlers under /_simulator."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(IDENTITY_PATH, self.identity)
        app.router.add_get("/_simulator/requests", self.requests)
        app.router.add_post("/_simulator/reset", self.reset)
        app.router.add_get("/_simulator/faults", self.show_faults)
        app.router.add_post("/_simulator/faults", self.replace_faults)

    async def identity(self, request: web.Request) -> web.Response:
        """Whose data this is; the header says it too, as it does on every other answer."""
        source = self._server.source
        return _json(source, headers={SOURCE_HEADER: source.mark})

    async def requests(self, request: web.Request) -> web.Response:
        """Counts since the last reset."""
        return _json(self._server.log.as_json())

    async def reset(self, request: web.Request) -> web.Response:
        """Sets the counts to zero; faults stay."""
        self._server.log.reset()
        return _json({"reset": True})

    async def show_faults(self, request: web.Request) -> web.Response:
        """The faults posted last, with how many requests each has met and struck."""
        active = self._server.faults.active
        return _json([{"fault": each.fault, "met": each.met, "struck": each.struck} for each in active])

    async def replace_faults(self, request: web.Request) -> web.Response:
        """Takes a list of faults, or {"faults": [...]}, in the place of those in force."""
        try:
            faults = _faults(msgspec.json.decode(await request.read() or b"[]"))
        except msgspec.MsgspecError as error:
            return _json({"error": str(error)}, status=400)
        self._server.faults.replace(faults)
        return _json({"faults": len(faults)})


def _faults(body: Any) -> list[Fault]:
    listed = body.get("faults", []) if isinstance(body, dict) else body
    return msgspec.convert(listed, list[Fault])


def _json(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    encoded = msgspec.json.encode(body)
    return web.Response(status=status, body=encoded, content_type="application/json", headers=headers)
