"""volume_slots: five-minute volumes 04:00-20:00 New York, a row a session and symbol, also where nobody traded.

By REST one range request a ticker covers whatever sessions it lacks; where the vendor has published a session's flat
file and we may read it (slot_files), that one file covers the whole market. What a part has to fetch is read from the
ledger when it runs, so a redelivered part asks only for what the first delivery had not committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import capabilities, coverage, ledger, list_dates, slots
from consumer.postgres.part_outcomes import why_not_published
from consumer.postgres.slots import SlotDay
from consumer.tasks import plausible, slot_files, slot_rows
from consumer.tasks.part import Came, bounded_gather, what_is_left
from consumer.tasks.passes import slots_a_pass
from consumer.tasks.set_aside import rejected_warnings
from consumer.tasks.slot_files import INSTEAD, FilesSeen
from consumer.tasks.slot_rows import RANGE_BARS, SlotFacts
from consumer.tasks.slot_weighing import weigh_slots
from consumer.vendor.errors import KeyRejected, NotYetPublished, TickerNotFound, VendorError
from consumer.vendor.questions import Question
from consumer.vendor.rows import Flaw
from contract import data_sets
from market.bounded_fields import VOLUME
from market.symbols import market_data_spelling
from market.volume_slots import SlotVolumes, bin_volumes, slot_start_ms

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write
    from consumer.tasks.terms import TaskOptions, Terms
    from consumer.vendor.sieve import Sieve


async def load_batch(ctx: PartContext) -> Write:
    """Fetch what a batch of symbols lacks, one request each. One symbol's failure does not lose the others."""
    await _stop_when_known_to_be_unpublished(ctx)
    wanted = list((await slot_rows.missing_slots(ctx.services.pool, ctx.terms, ctx.payload["symbols"])).items())
    spellings = await slots.market_data_symbols(ctx.services.pool, [symbol for symbol, _ in wanted])
    fetched_at, sieve = ctx.services.now(), ctx.sieve()
    rows, failures = _sort(await _ask(ctx, wanted, spellings, sieve))
    warnings = rejected_warnings("volume_slots", sieve.rejected)

    async def write(connection: Connection) -> PartReport:
        came = Came(at=fetched_at, rows=len(rows), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.VOLUME_SLOTS, ctx.day, came)
        weighed = await weigh_slots(connection, ctx, rows, loaded)
        restated = await slot_rows.keep_restated(connection, ctx, weighed.rows, load_id=loaded.load_id)
        await slots.write_slots(connection, weighed.rows, fetched_at=fetched_at, load_id=loaded.load_id)
        unfinished = what_is_left(failures, progress=bool(weighed.rows))
        told = (f"volume_slots: {restated} rows of sessions before were restated by the vendor",) if restated else ()
        return ledger.PartReport(rows=len(rows), warnings=(*warnings, *weighed.warnings, *told), unfinished=unfinished)

    return write


async def _ask(
    ctx: PartContext, wanted: list[tuple[str, list[dt.date]]], spellings: dict[str, str], sieve: Sieve
) -> list[list[SlotDay] | VendorError]:
    """Ask for all of *wanted*; the first alone: where the day is not published, one refusal says so for the batch."""
    until, at_once = ctx.ask_until(), ctx.services.options.requests_at_once
    outcomes: list[list[SlotDay] | VendorError] = []
    for some in (wanted[:1], wanted[1:]):
        questions = [fetch(ctx, symbol, days, spellings, sieve) for symbol, days in some]
        outcomes += await bounded_gather(questions, at_once=at_once, until=until)
        if any(isinstance(outcome, NotYetPublished) for outcome in outcomes[:1]):
            break
    return outcomes


def _sort(outcomes: list[list[SlotDay] | VendorError]) -> tuple[list[SlotDay], list[VendorError]]:
    """The rows, and what failed: that the day is not published comes first, for it is why a part waits."""
    rows: list[SlotDay] = []
    failures: list[VendorError] = []
    for outcome in outcomes:
        if isinstance(outcome, KeyRejected):
            raise outcome
        if isinstance(outcome, NotYetPublished):
            failures.insert(0, outcome)
        elif isinstance(outcome, VendorError):
            failures.append(outcome)
        else:
            rows += outcome
    return rows, failures


async def _stop_when_known_to_be_unpublished(ctx: PartContext) -> None:
    """Raise NotYetPublished, without a request, where another part of this pass has already been told so."""
    reason = await why_not_published(ctx.services.pool, ctx.cycle, task="volume_slots", part=f"bars:{ctx.day}")
    if reason is not None:
        raise NotYetPublished(reason)


async def fetch(
    ctx: PartContext, symbol: str, days: list[dt.date], spellings: dict[str, str], sieve: Sieve
) -> list[SlotDay]:
    """Ask for the slots of one symbol on *days*; what is lost of the answer goes into *sieve*."""
    try:
        bars = await ctx.services.vendor.five_minute_bars(spellings.get(symbol, symbol), days[0], days[-1])
    except TickerNotFound:
        # Listed, and yet unknown here: a contradiction, so no proof that nobody traded.
        return [SlotDay(day=day, symbol=symbol, outcome="unproven") for day in days]
    sieve.absorb(bars.rejected, [msgspec.structs.replace(one, symbol=symbol) for one in bars.set_aside])
    starts = np.array([slot_start_ms(ctx.services.calendar.session(day)) for day in days], dtype=np.int64)
    binned = bin_volumes(bars.timestamps_ms, bars.volumes, starts, bars.trades)
    if binned.outside and len(ctx.services.calendar.trading_days(days[0], days[-1])) == len(days):
        sieve.absorb({Flaw.OUTSIDE_GRID: binned.outside}, ())
    # A count of trades that was left out makes no volume doubtful.
    doubtful = any(not lost.startswith("field ") for lost in bars.rejected)
    return _slot_days(symbol, days, binned, sieve, doubtful=doubtful)


def _slot_days(
    symbol: str, days: Sequence[dt.date], binned: SlotVolumes, sieve: Sieve, *, doubtful: bool
) -> list[SlotDay]:
    rows = []
    for at, day in enumerate(days):
        volumes, trades = binned.volumes[at], None if binned.trades is None else binned.trades[at]
        if volumes.max() > VOLUME.most:  # the sum can be too large though no bar is
            sieve.drop_row(Flaw.VOLUME, {"day": day.isoformat(), "largest_slot": float(volumes.max())}, symbol)
            rows.append(SlotDay(day=day, symbol=symbol, outcome="unproven"))
        else:
            rows.append(slot_rows.slot_day(day, symbol, volumes, trades, doubtful=doubtful))
    return rows


async def plan_parts(ctx: PartContext) -> Write:
    """Spawn the parts of this task once the universe is known, or those that bring what its files did not."""
    instead = INSTEAD in ctx.payload
    files = FilesSeen(problem=ctx.payload[INSTEAD]) if instead else await slot_files.look(ctx)
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        facts = await read_facts(connection, ctx.terms)
    parts = plan(facts, files, ctx.terms.options, instead_of_files=instead)
    slot_files.tell(files)

    async def write(connection: Connection) -> PartReport:
        return ledger.PartReport(spawned=tuple(parts), warnings=files.warnings)

    return write


async def read_facts(connection: Connection, terms: Terms) -> SlotFacts:
    """Read what a plan of slots is made of. Wants a repeatable-read transaction."""
    by_range = not await capabilities.is_lacking(connection, RANGE_BARS)
    sessions = terms.sessions(terms.options.slot_sessions)
    tried, at_fault = await slot_files.tried_in_cycle(connection, terms) if by_range else (set(), set())
    return SlotFacts(
        missing=await slot_rows.missing_slots(connection, terms),
        unproven=await slots.unproven_by_day(connection, sessions),
        by_range=by_range,
        loaded=await slot_files.loaded_versions(connection, terms),
        tried=frozenset(tried),
        at_fault=frozenset(at_fault),
    )


def plan(
    facts: SlotFacts, files: FilesSeen, options: TaskOptions, *, instead_of_files: bool = False
) -> list[ledger.PartPlan]:
    """Return the parts that fetch what is missing: a file for each session that has one, else a batch of symbols each.

    *instead_of_files*: files were asked for and did not bring it. Pure.
    """
    size = options.batch_of(Question.RANGE_BARS)
    by_file, missing = ([], facts.missing) if instead_of_files else slot_files.plan(facts, files)
    missing = _within_the_plan(facts, missing, options.requests_a_pass)
    # Bars may spell a preferred share otherwise than the listing: the daily bars, which cost nothing more, tell.
    preferred = [symbol for symbol in missing if market_data_spelling(symbol) is not None]
    others = [symbol for symbol in missing if market_data_spelling(symbol) is None]
    batches: list[tuple[list[str], tuple[str, ...]]] = [(batch, ()) for batch in _batches(others, size)]
    batches += [(batch, (data_sets.DAILY_BARS,)) for batch in _batches(preferred, size)]
    named = "rest-" if instead_of_files else ""  # beside the batches of the same pass's first plan
    return by_file + [
        ledger.PartPlan(task="volume_slots", part=f"batch:{named}{number:04}", after=after, payload={"symbols": batch})
        for number, (batch, after) in enumerate(batches, start=1)
    ]


def _within_the_plan(
    facts: SlotFacts, missing: Mapping[str, list[dt.date]], requests_a_pass: int | None
) -> Mapping[str, list[dt.date]]:
    """What of *missing* to ask for in this pass: as much as it may, and one symbol where the plan lacks these bars.

    One, because a plan may be changed, and one refusal may have been an outage in disguise.
    """
    if not facts.by_range:
        return dict(list(missing.items())[:1])
    return missing if requests_a_pass is None else dict(list(missing.items())[: slots_a_pass(requests_a_pass)])


def _batches(symbols: list[str], size: int) -> list[list[str]]:
    return [symbols[at : at + size] for at in range(0, len(symbols), size)]


async def prove(ctx: PartContext) -> Write:
    """Hold the sessions of the window against the daily bars, and record of which that was done.

    It is no word on whether they are whole: that is judged by their rows, whenever somebody asks.
    """
    sessions = ctx.sessions(ctx.services.options.slot_sessions)
    proved_at = ctx.services.now()

    async def write(connection: Connection) -> PartReport:
        await list_dates.forget_slots_of_nobody(connection, sessions)
        unproven = await slots.mark_unproven(connection, sessions)
        loaded = await ctx.note_load(connection, at=proved_at, rows=0)
        await _cover_proven(connection, sessions, loaded)
        suspect, lines = await plausible.hold_against_slots(connection, sessions, load_id=loaded.load_id, now=proved_at)
        if unproven:
            lines.append(
                f"volume_slots: {unproven} (session, symbol) pairs have no slot and no proof that nobody traded"
            )
        rechecks = tuple(plausible.recheck_part(day) for day in suspect)
        return ledger.PartReport(warnings=tuple(lines), spawned=rechecks)

    return write


async def _cover_proven(connection: Connection, sessions: Sequence[dt.date], loaded: Loaded) -> None:
    counts = await connection.fetch(
        "SELECT trading_date, count(*) AS rows FROM session_slots WHERE trading_date = ANY ($1) GROUP BY 1", sessions
    )
    for row in counts:
        await coverage.record_coverage(
            connection, data_sets.SLOT_PROOF, row["trading_date"], loaded.counting(row["rows"])
        )
