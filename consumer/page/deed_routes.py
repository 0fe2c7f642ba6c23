"""Puts on the HTTP API what a person may ask for or decide on the page: previews by GET, deeds by POST.

Every POST wants the token, where one is set, and comes from no other site's page (consumer/web/callers.py); its body
says who asks and why.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from consumer.page import planning
from consumer.page.deeds import Deeds, NothingLeft, Preview, Refused
from consumer.page.files import answer_json
from consumer.page.planning import NoSuchBackfill, OtherByNow
from consumer.page.signed import AskedBackfill, AskedBoundary, AskedFinding, AskedLetters, AskedTask
from consumer.postgres.boundaries import State
from consumer.web.bodies import BadRequest, read_body
from consumer.web.problems import json_answer, problem
from consumer.web.tokens import refusal_without_token
from contract.flat_fields import BadField, read_field
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from consumer.delivery.task_stream import TaskStream
    from consumer.page.overview import Desk
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor

_WHO = '"by": "anna", "reason": "…"'


class DeedRoutes:
    """One method a route."""

    def __init__(self, settings: Settings, monitor: Monitor, stream: TaskStream, desk: Desk) -> None:
        self._settings = settings
        self._monitor = monitor
        self._desk = desk
        self._deeds = Deeds(monitor, stream)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/page/letters/{act:replay|drop}/{stream}/{cause}", self.preview_letters)
        app.router.add_get("/page/boundary/{state:accepted|rejected}/{symbol}/{day}", self.preview_boundary)
        deeds = {
            "backfill": self.backfill,
            "task": self.task,
            "letters": self.letters,
            "boundary": self.boundary,
            "finding": self.finding,
            "recheck": self.recheck,
        }
        for name, deed in deeds.items():
            app.router.add_post(f"/page/{name}", self._guarded(deed))

    def _guarded(
        self, deed: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if (refused := refusal_without_token(request, self._settings.api_token)) is not None:
                return refused
            try:
                answer = await deed(request)
                self._desk.forget()
                return answer
            except (NothingLeft, OtherByNow) as error:
                return problem(409, str(error))
            except (Refused, NoSuchBackfill, CalendarError) as error:
                return problem(422, str(error))

        return guarded

    async def preview_letters(self, request: web.Request) -> web.Response:
        """The open letters of a cause, and what would be sent of them."""
        act: Literal["replay", "drop"] = "drop" if request.match_info["act"] == "drop" else "replay"
        stream, cause = request.match_info["stream"], request.match_info["cause"]
        return _shown(request, await self._deeds.preview_letters(act, stream, cause))

    async def preview_boundary(self, request: web.Request) -> web.Response:
        """What the prices around it show, and what would follow."""
        state, symbol = State(request.match_info["state"]), request.match_info["symbol"]
        return _shown(request, await self._deeds.preview_boundary(state, symbol, day_in(request, "day")))

    async def backfill(self, request: web.Request) -> web.Response:
        """Ask for the backfill that was forecast; 409 where it would be another one by now."""
        example = f'{{"first": "2025-11-11", "last": "2025-11-11", "parts": {{"ohlc_daily": 1}}, {_WHO}}}'
        asked = await read_body(request, AskedBackfill, example=example)
        accepted = await planning.ask(self._monitor, self._settings, asked)
        return json_answer(accepted, status=202, headers={"Location": "/status"})

    async def task(self, request: web.Request) -> web.Response:
        """Ask for a cycle or a task of a session."""
        asked = await read_body(request, AskedTask, example=f'{{"day": "2025-11-11", {_WHO}}}')
        return json_answer(await self._deeds.task(asked), status=202, headers={"Location": "/status"})

    async def letters(self, request: web.Request) -> web.Response:
        """Send the letters of a preview again, or drop them; 409 where none is open any more."""
        asked = await read_body(request, AskedLetters, example=f'{{"act": "replay", "ids": [1], {_WHO}}}')
        return json_answer(await self._deeds.letters(asked))

    async def boundary(self, request: web.Request) -> web.Response:
        """Write whether a new series begins; 409 where that is said already."""
        example = f'{{"symbol": "MO", "day": "2008-03-31", "state": "accepted", {_WHO}}}'
        return json_answer(await self._deeds.boundary(await read_body(request, AskedBoundary, example=example)))

    async def finding(self, request: web.Request) -> web.Response:
        """Accept what stands, or take what was kept aside; 409 where the finding is not open any more."""
        asked = await read_body(request, AskedFinding, example=f'{{"finding_id": 7, {_WHO}}}')
        return json_answer(await self._deeds.finding(asked))

    async def recheck(self, request: web.Request) -> web.Response:
        """Read the ledger anew and judge it; answers what /page/overview does."""
        return answer_json(request, await self._desk.look_again())


def _shown(request: web.Request, preview: Preview) -> web.Response:
    return answer_json(request, preview)


def day_in(request: web.Request, name: str) -> dt.date:
    """The day of a path. Raises BadRequest."""
    try:
        return read_field(name, request.match_info[name], dt.date)  # type: ignore[no-any-return]
    except BadField as error:
        raise BadRequest(f"{error}: days are written 2025-11-11") from error
