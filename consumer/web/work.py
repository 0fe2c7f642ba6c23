"""The routes that ask for work or give a person's word: backfills, dead letters, findings, boundaries, calling off."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from consumer.completeness.backfill import Backfill, refusal
from consumer.completeness.deciding import Cut, NoSuchSeries, NothingAside, accept_finding, decide_boundary
from consumer.cycle import calling_off
from consumer.cycle import resend as resending
from consumer.cycle.reporting import Reporter
from consumer.cycle.stores import Stores
from consumer.postgres.boundaries import State
from consumer.postgres.dead_letters import Selection
from consumer.postgres.decisions import Decision
from consumer.web import problem_kinds as kinds
from consumer.web.asked import MOST_ID, MOST_SESSIONS, symbol_in
from consumer.web.bodies import BadRequest, read_body
from consumer.web.idempotency import request_name
from consumer.web.ledger_reads import day_in, number_in
from consumer.web.problems import json_answer, problem
from consumer.web.routes import Route
from consumer.web.said import VIA, Reason, Said
from contract.messages import TaskMessage, TaskName
from market.calendar_errors import CalendarError
from producers.trigger import request as request_of

if TYPE_CHECKING:
    from aiohttp import web

    from consumer.delivery.task_stream import TaskStream
    from consumer.web.monitor import Monitor


class CancelBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /cycles/{day}/cancel may name."""


class BackfillBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from"}):
    """What POST /backfill names: the sessions *first* to *to*; *task* ohlc_daily or volume_slots, or both."""

    first: dt.date
    to: dt.date
    task: TaskName = TaskName.CYCLE


class LettersBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open dead letters, by their numbers."""

    ids: Annotated[list[Annotated[int, Meta(ge=1, le=MOST_ID)]], Meta(min_length=1, max_length=MOST_SESSIONS)]


class BoundaryBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the symbol's series begins anew on the day."""

    accepted: bool
    reason: Reason


class FindingBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That what stands is right, or with *take_new* the answer kept aside."""

    reason: Reason
    take_new: bool = False


class BackfillAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The stream entry that asks for it; its run stands under the last day."""

    entry_id: str
    first: dt.date
    to: dt.date
    look_at: str
    accepted: bool = True


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that were ended."""

    cancelled: list[int]
    look_at: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters that were sent again, or dropped; one that was not open is not among them."""

    ids: list[int]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the word says anything new."""

    changed: bool


class WorkHandlers:
    """One method a route; each is noted with its author."""

    def __init__(self, monitor: Monitor, stream: TaskStream) -> None:
        self._monitor, self._stream = monitor, stream
        self._reporter = Reporter(monitor.pool, monitor.redis, monitor.expectations, now=monitor.now)

    def routes(self) -> list[Route]:
        replay, drop = "/dead-letters/replay", "/dead-letters/drop"
        boundary, finding = "/boundaries/{symbol}/{day}", "/findings/{id}/accept"
        return [
            Route("POST", "/backfill", self.backfill, body=BackfillBody, answer=BackfillAccepted, status=202),
            Route("POST", "/cycles/{day}/cancel", self.cancel, body=CancelBody, answer=Cancelled),
            Route("POST", replay, self.replay, body=LettersBody, answer=Settled, status=202),
            Route("POST", drop, self.drop, body=LettersBody, answer=Settled),
            Route("POST", boundary, self.boundary, body=BoundaryBody, answer=Decided),
            Route("POST", finding, self.finding, body=FindingBody, answer=Decided),
        ]

    async def backfill(self, request: web.Request) -> web.Response:
        """Ask for what some sessions lack; 202 with where its run will stand."""
        wanted = await read_body(request, BackfillBody, example='{"from": "2025-11-03", "to": "2025-11-07"}')
        monitor = self._monitor
        try:
            asked = Backfill(first=wanted.first, last=wanted.to, task=wanted.task)
            if (refused := refusal(monitor.schedule, asked, now=monitor.now())) is not None:
                raise BadRequest(refused.replace("--", ""), status=422)
            sessions = monitor.calendar.trading_days(wanted.first, wanted.to)
        except CalendarError as error:
            raise BadRequest(str(error), status=422) from error
        message = TaskMessage(
            task=wanted.task,
            trading_day=sessions[-1],
            first_day=sessions[0],
            request=request_name(request),
            requested_by=wanted.by,
            reason=wanted.reason,
            via=VIA,
        )
        entry_id = await request_of(monitor.redis, message)
        where = f"/cycles/{sessions[-1]}"
        accepted = BackfillAccepted(entry_id=entry_id, first=sessions[0], to=sessions[-1], look_at=where)
        return json_answer(accepted, status=202, headers={"Location": where})

    async def cancel(self, request: web.Request) -> web.Response:
        """End what runs or waits for a trading day; 404 when nothing does."""
        day = day_in(request)
        said = await read_body(request, CancelBody, example='{"reason": "…"}')
        found = await calling_off.cancel(self._monitor.pool, self._stream, self._reporter, day, self._decision(said))
        if not found:
            return problem(404, f"nothing runs or waits for {day}; GET /status shows what does")
        return json_answer(Cancelled(cancelled=[cycle.cycle_id for cycle in found], look_at=f"/cycles/{day}"))

    async def replay(self, request: web.Request) -> web.Response:
        """Ask again for what some dead letters wanted; a part's task is planned anew."""
        wanted = await read_body(request, LettersBody, example='{"ids": [1]}')
        stores = Stores(pool=self._monitor.pool, redis=self._monitor.redis, stream=self._stream)
        try:
            resent = await resending.resend(stores, Selection(ids=tuple(wanted.ids)), {}, self._decision(wanted))
        except resending.CannotReplay as error:
            raise BadRequest(f"{error}: `maintenance dead-letters replay --set` corrects it", status=422) from error
        return _settled([one.letter.dead_letter_id for one in resent], status=202)

    async def drop(self, request: web.Request) -> web.Response:
        """Settle some dead letters without doing them."""
        wanted = await read_body(request, LettersBody, example='{"ids": [1], "reason": "…"}')
        if wanted.reason is None:
            raise BadRequest("reason is missing: what is dropped is never done, say why")
        monitor = self._monitor
        dropped = await resending.drop(
            monitor.pool, monitor.redis, Selection(ids=tuple(wanted.ids)), self._decision(wanted)
        )
        return _settled([one.dead_letter_id for one in dropped], status=200)

    async def boundary(self, request: web.Request) -> web.Response:
        """Say that a series begins anew on that day, or that it goes on across it."""
        symbol, day = symbol_in(request.match_info["symbol"]), day_in(request)
        wanted = await read_body(request, BoundaryBody, example='{"accepted": true, "reason": "…"}')
        cut = Cut(symbol=symbol, day=day, state=State.ACCEPTED if wanted.accepted else State.REJECTED)
        try:
            changed = await decide_boundary(self._monitor.pool, cut, self._decision(wanted))
        except NoSuchSeries as error:
            raise BadRequest(str(error), status=422) from error
        return json_answer(Decided(changed=changed))

    async def finding(self, request: web.Request) -> web.Response:
        """Say that what stands is right, or take the answer that was kept aside; 404 where it is not open."""
        number = number_in(request)
        wanted = await read_body(request, FindingBody, example='{"reason": "…"}')
        try:
            accepted = await accept_finding(
                self._monitor.pool, number, self._decision(wanted), take_new=wanted.take_new
            )
        except NothingAside as error:
            detail = f"finding {number} is about what stands: nothing was kept aside; leave take_new out"
            raise BadRequest(detail, status=422, kind=kinds.CANNOT_BE) from error
        if accepted is None:
            return problem(404, f"finding {number} is not open")
        return json_answer(Decided(changed=True))

    def _decision(self, said: Said) -> Decision:
        return Decision(by=said.by, reason=said.reason, at=self._monitor.now(), via=VIA)


def _settled(ids: list[int], *, status: int) -> web.Response:
    if not ids:
        return problem(404, "none of these is open; GET /dead-letters?settled=true lists the settled ones")
    headers = {"Location": "/dead-letters?settled=true"} if status == 202 else None
    return json_answer(Settled(ids=ids), status=status, headers=headers)
