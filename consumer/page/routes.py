"""Puts the operator page on the HTTP API: `/`, its files, its answers under `/page/`, its events under `/events`.

Reads are open, as all reads of the API are; what asks for work wants the token, where one is set.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING

from aiohttp import web

from consumer.completeness.backfill import Backfill
from consumer.page import planning
from consumer.page.day import read_day
from consumer.page.deed_routes import DeedRoutes, day_in
from consumer.page.events import Events, TooManyListeners, frames
from consumer.page.files import HEADERS, INDEX, answer_file, answer_json, read_files
from consumer.page.market_reader import MarketReader
from consumer.page.overview import Desk
from consumer.page.planning import NoSuchBackfill
from consumer.page.shared import Shared
from consumer.page.symbol import read_symbol
from consumer.postgres.decided import read_decided
from consumer.web.problems import problem
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from consumer.delivery.task_stream import TaskStream
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor

#: Of what people have decided: for so long, and at most so many.
DECIDED_WITHIN = dt.timedelta(days=30)
MOST_DECIDED = 30
_SYMBOL = re.compile(r"[A-Za-z0-9./\-]{1,20}", re.ASCII)


def add_page(app: web.Application, settings: Settings, monitor: Monitor, stream: TaskStream) -> None:
    """Add the page's routes to *app*. Events and forecasts need redis_url; what a person decides goes to *stream*."""
    page = Page(settings, monitor)
    DeedRoutes(settings, monitor, stream, page.desk).add_to(app)
    app.router.add_get("/", page.index)
    app.router.add_get("/page/files/{name}", page.file)
    app.router.add_get("/page/overview", page.overview)
    app.router.add_get("/page/calendar/{day}", page.calendar)
    app.router.add_get("/page/day/{day}", page.day)
    app.router.add_get("/page/forecast/{first}/{last}", page.forecast)
    app.router.add_get("/page/symbol/{symbol:.+}", page.symbol)
    app.router.add_get("/page/budget", page.budget)
    app.router.add_get("/page/market", page.market)
    app.router.add_get("/page/decided", page.decided)
    app.router.add_get("/page/log", page.log)
    app.router.add_get("/events", page.events)
    app.on_shutdown.append(page.close)


class Page:
    """One method a route."""

    def __init__(self, settings: Settings, monitor: Monitor) -> None:
        self._settings = settings
        self._monitor = monitor
        self._events = Events(monitor, settings.redis_url, on_news=self._forget)
        self.desk = Desk(monitor, settings)
        self._market, self._log = Shared(MarketReader(monitor).days), Shared(self._events.tail)
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
        return answer_json(request, await self.desk.overview())

    async def calendar(self, request: web.Request) -> web.Response:
        """The sessions up to a day."""
        day = day_in(request, "day")
        try:
            found = await self.desk.calendar_before(day)
        except CalendarError as error:
            return problem(404, str(error))
        return answer_json(request, found)

    async def day(self, request: web.Request) -> web.Response:
        """One session, whole; 404 where there is none on that day."""
        day = day_in(request, "day")
        try:
            found = await read_day(self._monitor, self.desk, day)
        except CalendarError as error:
            return problem(404, str(error))
        return answer_json(request, found)

    async def forecast(self, request: web.Request) -> web.Response:
        """What a backfill would touch and cost; nothing is asked of anybody."""
        wanted = Backfill(first=day_in(request, "first"), last=day_in(request, "last"))
        try:
            found = await planning.offer(self._monitor, self._settings, wanted)
        except (NoSuchBackfill, CalendarError) as error:
            return problem(422, str(error))
        return answer_json(request, found)

    async def symbol(self, request: web.Request) -> web.Response:
        """One symbol; 404 where nothing is known of it."""
        symbol = request.match_info["symbol"]
        found = await read_symbol(self._monitor, symbol) if _SYMBOL.fullmatch(symbol) else None
        if found is None:
            return problem(404, f"nothing is known of {symbol[:20]!r}: write it as the listing does, such as AAPL")
        return answer_json(request, found)

    async def budget(self, request: web.Request) -> web.Response:
        """What may be asked of the vendor, and what is and will be."""
        return answer_json(request, await planning.budget(self._monitor, self._settings))

    async def market(self, request: web.Request) -> web.Response:
        """The newest sessions of the whole market beside their trailing medians."""
        return answer_json(request, await self._market.get())

    async def decided(self, request: web.Request) -> web.Response:
        """What people have decided of late, with who and why."""
        since = self._monitor.now() - DECIDED_WITHIN
        found = await read_decided(self._monitor.pool, since=since, most=MOST_DECIDED)
        return answer_json(request, found)

    async def log(self, request: web.Request) -> web.Response:
        """The last events, newest first."""
        return answer_json(request, await self._log.get())

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

    def _forget(self) -> None:
        """Something was told: whoever asks because of it is told what stands since."""
        self.desk.forget()
        self._log.forget()

    async def close(self, _app: web.Application) -> None:
        """Let the pages go that watch."""
        await self._events.close()
