"""Puts the operator page on the HTTP API: `/`, its files, its answers under `/page/`, its events under `/events`.

Reads are open, as all reads of the API are; what asks for work wants the token, where one is set.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.completeness.backfill import Backfill
from consumer.page import planning
from consumer.page.day import read_day
from consumer.page.events import Events, TooManyListeners, frames
from consumer.page.files import HEADERS, INDEX, answer_file, answer_json, read_files
from consumer.page.overview import Desk
from consumer.page.planning import AskedBackfill, NoSuchBackfill, OtherByNow
from consumer.page.symbol import read_symbol
from consumer.web import problem_kinds as kinds
from consumer.web.bodies import BadRequest, read_body
from consumer.web.problems import json_answer, problem
from contract.flat_fields import BadField, read_field
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor

_SYMBOL = re.compile(r"[A-Za-z0-9./\-]{1,20}", re.ASCII)


def add_page(app: web.Application, settings: Settings, monitor: Monitor) -> None:
    """Add the page's routes to *app*. Events and forecasts need redis_url."""
    page = Page(settings, monitor, Events(monitor, settings.redis_url))
    app.router.add_get("/", page.index)
    app.router.add_get("/page/files/{name}", page.file)
    app.router.add_get("/page/overview", page.overview)
    app.router.add_get("/page/calendar/{day}", page.calendar)
    app.router.add_get("/page/day/{day}", page.day)
    app.router.add_get("/page/forecast/{first}/{last}", page.forecast)
    app.router.add_post("/page/backfill", page.backfill)
    app.router.add_get("/page/symbol/{symbol:.+}", page.symbol)
    app.router.add_get("/page/budget", page.budget)
    app.router.add_get("/page/log", page.log)
    app.router.add_get("/events", page.events)
    app.on_shutdown.append(page.close)


class Page:
    """One method a route."""

    def __init__(self, settings: Settings, monitor: Monitor, events: Events) -> None:
        self._settings = settings
        self._monitor = monitor
        self._events = events
        self._desk = Desk(monitor, settings)
        self._files = read_files()

    async def index(self, request: web.Request) -> web.Response:
        return answer_file(request, self._files[INDEX])

    async def file(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["name"])
        if file is None:
            return problem(404, "the page has no such file: it was built of another release; load it anew")
        return answer_file(request, file)

    async def overview(self, request: web.Request) -> web.Response:
        """Verdict, calendar and findings; the same bytes for all who ask within a second."""
        return answer_json(request, await self._desk.overview())

    async def calendar(self, request: web.Request) -> web.Response:
        """The sessions up to a day."""
        day = _day(request, "day")
        try:
            found = await self._desk.calendar_before(day)
        except CalendarError as error:
            return problem(404, str(error))
        return answer_json(request, msgspec.json.encode(found))

    async def day(self, request: web.Request) -> web.Response:
        """One session, whole; 404 where there is none on that day."""
        day = _day(request, "day")
        try:
            found = await read_day(self._monitor, self._desk, day)
        except CalendarError as error:
            return problem(404, str(error))
        return answer_json(request, msgspec.json.encode(found))

    async def forecast(self, request: web.Request) -> web.Response:
        """What a backfill would touch and cost; nothing is asked of anybody."""
        wanted = Backfill(first=_day(request, "first"), last=_day(request, "last"))
        try:
            found = await planning.offer(self._monitor, self._settings, wanted)
        except (NoSuchBackfill, CalendarError) as error:
            return problem(422, str(error))
        return answer_json(request, msgspec.json.encode(found))

    async def backfill(self, request: web.Request) -> web.Response:
        """Ask for the backfill that was forecast; 409 where it would be another one by now."""
        example = '{"first": "2025-11-11", "last": "2025-11-11", "parts": {"ohlc_daily": 1}}'
        asked = await read_body(request, AskedBackfill, example=example)
        try:
            accepted = await planning.ask(self._monitor, self._settings, asked)
        except OtherByNow as error:
            return problem(409, str(error), kind=kinds.OTHER_BY_NOW)
        except (NoSuchBackfill, CalendarError) as error:
            return problem(422, str(error))
        return json_answer(accepted, status=202, headers={"Location": f"/cycles/{accepted.last}"})

    async def symbol(self, request: web.Request) -> web.Response:
        """One symbol; 404 where nothing is known of it."""
        symbol = request.match_info["symbol"]
        found = await read_symbol(self._monitor, symbol) if _SYMBOL.fullmatch(symbol) else None
        if found is None:
            return problem(404, f"nothing is known of {symbol[:20]!r}: write it as the listing does, such as AAPL")
        return answer_json(request, msgspec.json.encode(found))

    async def budget(self, request: web.Request) -> web.Response:
        """What may be asked of the vendor, and what is and will be."""
        return answer_json(request, msgspec.json.encode(await planning.budget(self._monitor, self._settings)))

    async def log(self, request: web.Request) -> web.Response:
        """The last events, newest first."""
        return answer_json(request, msgspec.json.encode(await self._events.tail()))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Events as they come, from after `Last-Event-ID` on."""
        stream = frames(self._events, request.headers.get("Last-Event-ID"))
        async with contextlib.aclosing(stream):
            try:
                first = await anext(stream)
            except TooManyListeners as error:
                return problem(503, str(error), headers={"Retry-After": "30"})
            response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
            response.headers["Cache-Control"] = "no-store"
            response.headers["X-Accel-Buffering"] = "no"
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await response.write(first)
                async for frame in stream:
                    await response.write(frame)
        return response

    async def close(self, _app: web.Application) -> None:
        """Let the pages go that watch."""
        await self._events.close()


def _day(request: web.Request, name: str) -> dt.date:
    try:
        return read_field(name, request.match_info[name], dt.date)  # type: ignore[no-any-return]
    except BadField as error:
        raise BadRequest(f"{error}: days are written 2025-11-11") from error
