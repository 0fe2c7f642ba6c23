"""metadata_enrich: the universe's listing, floats in bulk, and details of the symbols that need them.

Details cost a request each, so they are asked only for symbols that are new, changed, split or stale. A listing is
applied only when it is complete; one that shrank beyond belief is refused and nothing is deactivated.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import capabilities, coverage, details, ledger, list_dates, ticker_history, tickers
from consumer.tasks.identity_check import record_identity
from consumer.tasks.listing_rows import SortedOut, kept_warning, sort_out
from consumer.tasks.part import Came, bounded_gather, what_is_left
from consumer.tasks.passes import details_a_pass
from consumer.tasks.set_aside import rejected_warnings
from consumer.vendor.errors import BadAnswer, KeyRejected, NotEntitled, TickerNotFound, VendorError
from consumer.vendor.questions import Question
from consumer.vendor.rows import TickerDetails, TickerRow
from contract import data_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection, Pool
    from consumer.tasks.part import PartContext, Write
    from consumer.tasks.terms import TaskOptions, Terms
    from consumer.vendor.rows import FloatRow
    from consumer.vendor.sieve import Sieve

FLOATS = "floats"  # as a capability of the plan is called
# Fewer symbols than this share of those active now is a truncated answer, not a delisting.
SMALLEST_SHARE = 0.8


async def load_universe(ctx: PartContext) -> Write:
    """Read the listing of active tickers to its end and bring the universe to it."""
    fetched_at = ctx.services.now()
    sieve = ctx.sieve()
    day = await ctx.present_day(fetched_at)
    listing = await ctx.services.vendor.list_tickers(active=True, sieve=sieve)
    sorted_out = await sort_out(ctx, listing)
    rows = sorted_out.listed
    if not rows:
        raise BadAnswer("the listing of active tickers is empty")
    await _refuse_a_shrunken(ctx.services.pool, len(rows))
    delisted = await _delisted(ctx, [row.ticker for row in rows], sieve)
    came = Came(at=fetched_at, rows=len(rows), sieve=sieve)
    read = _Read(day=day, came=came, sorted_out=sorted_out, delisted=delisted, pages=listing.pages)
    return lambda connection: _bring_to(connection, ctx, read)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """A complete listing, and what has left the market."""

    day: dt.date
    came: Came
    sorted_out: SortedOut
    delisted: list[TickerRow]
    pages: int


async def _bring_to(connection: Connection, ctx: PartContext, read: _Read) -> PartReport:
    day, at, rows = read.day, read.came.at, read.sorted_out.listed
    # Again, under the transaction: another pass may have stored a longer listing since the vendor answered.
    await _refuse_a_shrunken(connection, len(rows))
    loaded = await ctx.note_answer(connection, data_sets.UNIVERSE, day, read.came)
    evening = ctx.evening(day, at)
    change = await tickers.apply_listing(connection, rows, evening, delisted=read.delisted)
    await tickers.note_others(connection, read.sorted_out.tests, state="test", day=day, now=at)
    await tickers.note_others(connection, read.sorted_out.over_the_counter, state="otc", day=day, now=at)
    told = await record_identity(connection, change.changes, source="universe", day=day, loaded=loaded)
    detail = {"added": change.added, "removed": change.removed, "pages": read.pages}
    counted = loaded.counting(change.active)
    await coverage.record_coverage(connection, data_sets.UNIVERSE, day, counted, detail=detail)
    await ticker_history.keep_history(connection, evening, loaded.load_id)
    await coverage.record_coverage(connection, data_sets.TICKER_HISTORY, day, counted)
    warnings = (
        *rejected_warnings("universe", read.came.sieve.rejected),
        *read.sorted_out.warnings,
        *told,
        *kept_warning(day, change.kept),
    )
    return ledger.PartReport(rows=change.active, warnings=warnings)


async def _refuse_a_shrunken(connection: Connection | Pool, listed: int) -> None:
    active = await tickers.count_active(connection)
    if listed < SMALLEST_SHARE * active:
        raise BadAnswer(f"the listing has {listed} active tickers where {active} are known: nothing changed")


async def _delisted(ctx: PartContext, listed: list[str], sieve: Sieve) -> list[TickerRow]:
    """What has left the market, asked for only when a symbol vanished: so that it says why."""
    if not await tickers.vanished(ctx.services.pool, listed):
        return []
    try:
        return await ctx.services.vendor.recently_delisted(sieve=sieve)
    except NotEntitled:
        return []


async def load_floats(ctx: PartContext) -> Write:
    """Read all floats in bulk. A plan without them is a fact to learn, and to name once, not a failure."""
    fetched_at, sieve = ctx.services.now(), ctx.sieve()
    rows: list[FloatRow] = []
    refusal: NotEntitled | None = None
    try:
        rows = await ctx.services.vendor.list_floats(sieve=sieve)
    except NotEntitled as error:
        refusal = error

    day = await ctx.present_day(fetched_at)

    async def write(connection: Connection) -> PartReport:
        came = Came(at=fetched_at, rows=len(rows), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.FLOATS, day, came)
        stored = await tickers.store_floats(connection, rows, now=fetched_at)
        detail = {"entitled": refusal is None}
        await coverage.record_coverage(connection, data_sets.FLOATS, day, loaded.counting(stored), detail=detail)
        told = await _learn(connection, refusal, len(rows), now=fetched_at)
        await ticker_history.keep_history(connection, ctx.evening(day, fetched_at), loaded.load_id)
        return ledger.PartReport(rows=stored, warnings=(*told, *rejected_warnings("floats", sieve.rejected)))

    return write


async def _learn(
    connection: Connection, refusal: NotEntitled | None, floats: int, *, now: dt.datetime
) -> tuple[str, ...]:
    """Note whether the plan has floats; a line where that is news."""
    if refusal is None:
        await capabilities.note_given(connection, FLOATS, evidence=f"{floats} floats", now=now)
    elif await capabilities.note_refused(connection, FLOATS, evidence=str(refusal), now=now):
        return (f"floats: not part of the plan behind this key ({refusal})",)
    return ()


async def due_details(
    connection: Connection | Pool, terms: Terms, *, now: dt.datetime, symbols: list[str] | None = None
) -> list[str]:
    """Return the symbols whose details are due, the oldest attempt first."""
    return await details.details_due(
        connection, day=terms.day, refresh_days=terms.options.details_refresh_days, now=now, symbols=symbols
    )


async def plan_parts(ctx: PartContext) -> Write:
    """Spawn the parts that fetch details, once universe and splits are known."""
    due = await due_details(ctx.services.pool, ctx.terms, now=ctx.services.now())
    parts = plan(due, ctx.services.options)

    async def write(connection: Connection) -> PartReport:
        return ledger.PartReport(spawned=tuple(parts))

    return write


def plan(due: Sequence[str], options: TaskOptions) -> list[ledger.PartPlan]:
    """Return the parts that fetch the details of *due*, as many as a pass may ask for.  Pure."""
    size = options.batch_of(Question.TICKER_DETAILS)
    most = options.requests_a_pass
    asked = due if most is None else due[: details_a_pass(most)]
    batches = [list(asked[at : at + size]) for at in range(0, len(asked), size)]
    return [
        ledger.PartPlan(task="metadata_enrich", part=f"details:{number:04}", payload={"symbols": batch})
        for number, batch in enumerate(batches, start=1)
    ]


async def load_details(ctx: PartContext) -> Write:
    """Fetch the details of a batch; "not found" is remembered with its date, other failures leave the symbol due."""
    fetched_at = ctx.services.now()
    wanted = await due_details(ctx.services.pool, ctx.terms, now=fetched_at, symbols=ctx.payload["symbols"])
    sieve = ctx.sieve()
    answers = await _ask_details(ctx, wanted, sieve)
    found = answers.found
    day = await ctx.present_day(fetched_at)

    async def write(connection: Connection) -> PartReport:
        came = Came(at=fetched_at, rows=len(found), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.DETAILS, day, came)
        await details.store_details(connection, found, answers.not_found, now=fetched_at)
        judged = await list_dates.judge_list_dates(connection, [one.ticker for one in found], now=fetched_at)
        told = await record_identity(connection, judged, source="details", day=day, loaded=loaded)
        await ticker_history.keep_history(
            connection, ctx.evening(day, fetched_at), loaded.load_id, symbols=ctx.payload["symbols"]
        )
        # Last: it is one row of all parts, and who has written it holds up the others until he commits.
        await coverage.record_coverage(connection, data_sets.DETAILS, day, loaded)
        return ledger.PartReport(
            rows=len(found),
            warnings=(*rejected_warnings("details", sieve.rejected), *told),
            unfinished=what_is_left(answers.failures, progress=bool(found or answers.not_found)),
        )

    return write


class _Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the questions about a batch of symbols."""

    found: list[TickerDetails] = []
    not_found: list[str] = []
    failures: list[VendorError] = []


async def _ask_details(ctx: PartContext, wanted: list[str], sieve: Sieve) -> _Answers:
    outcomes = await bounded_gather(
        [ctx.services.vendor.ticker_details(symbol, sieve=sieve) for symbol in wanted],
        at_once=ctx.services.options.requests_at_once,
        until=ctx.ask_until(),
    )
    answers = _Answers()
    for symbol, outcome in zip(wanted, outcomes, strict=True):
        match outcome:
            case KeyRejected():
                raise outcome
            case TickerNotFound():
                answers.not_found.append(symbol)
            case VendorError():
                answers.failures.append(outcome)
            case _:
                answers.found.append(outcome)
    return answers
