"""A vendor that answers with the bytes it is told, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from consumer.tasks.metadata_enrich import load_universe
from tests.extremes.values import Case
from tests.tasks.conftest import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.tasks.conftest import Desk

LISTING = "/v3/reference/tickers"
GROUPED = f"/v2/aggs/grouped/locale/us/market/stocks/{DAY}"


class Wire:
    """What the vendor says, by path; an unknown path is an unknown ticker."""

    def __init__(self, part_desk: Desk) -> None:
        self.desk = part_desk
        self.says: dict[str, bytes] = {}
        self.by_query: tuple[str, dict[str, bytes]] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        body = self.says.get(request.path)
        if self.by_query is not None:
            body = self.by_query[1][request.query[self.by_query[0]]]
        if "cursor" in request.query or "ticker.gt" in request.query:
            body = b'{"status":"OK","results":[]}'
        if body is None:
            return web.json_response({"status": "NOT_FOUND"}, status=404)
        return web.Response(body=body, content_type="application/json")


def envelope(rows: Iterable[bytes]) -> bytes:
    listed = list(rows)
    return b'{"status":"OK","request_id":"r1","resultsCount":%d,"results":[%s]}' % (len(listed), b",".join(listed))


async def list_sound(wire: Wire, symbols: Iterable[str]) -> None:
    wire.says[LISTING] = envelope(Case(symbol, "tickers").json for symbol in symbols)
    await wire.desk.run(load_universe)
    del wire.says[LISTING]
