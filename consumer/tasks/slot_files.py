"""Volume slots from the vendor's flat files: one file covers a session for the whole market.

A session's file is out the next morning: until then, and where a file is missing, the session is asked for by REST. So
it is, with a warning, where a file or the bucket cannot be used: flat files save requests, and decide about no night.
The vendor now and then replaces a file; one whose version differs from the loaded one is loaded again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from loguru import logger

from consumer import this_machine
from consumer.postgres import capabilities, ledger, slots, trading_evidence
from consumer.postgres.part_outcomes import done_without_rows
from consumer.tasks.part import Came
from consumer.tasks.set_aside import rejected_warnings
from consumer.tasks.slot_rows import RANGE_BARS, keep_restated, missing_slots, slot_day
from consumer.tasks.slot_weighing import weigh_slots
from consumer.vendor.errors import BadAnswer, FlatFilesUnusable, NotYetPublished, VendorError
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.rows import Flaw
from contract import data_sets
from market.symbols import is_test_issue, listed_spellings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.postgres.slots import SlotDay
    from consumer.tasks.part import PartContext, Write
    from consumer.tasks.slot_rows import SlotFacts
    from consumer.tasks.terms import Terms
    from consumer.vendor.protocol import FlatFile
    from consumer.vendor.rows import MinuteSlots
    from consumer.vendor.sieve import Sieve

WAY = "flat_files"


INSTEAD = "instead"  # in the payload of a part that plans by REST what files did not bring: why they did not


class FilesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan knows of the flat files: the versions that are out, or why it has to do without them.

    *configured*: the operator has named a place where there are some.
    """

    versions: Mapping[dt.date, str] = {}
    problem: str | None = None
    configured: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line, in the same words each time, so that a night says it once."""
        return () if self.problem is None else (f"flat files are not used, REST is asked instead: {self.problem}",)


async def look(ctx: PartContext) -> FilesSeen:
    """Ask which minute files of the window there are; a store that cannot be asked is a problem and no failure."""
    store = ctx.services.flat_files
    if store is None:
        return FilesSeen()
    days = {*ctx.sessions(ctx.services.options.slot_sessions), ctx.day}
    try:
        return FilesSeen(versions=await store.versions(FlatFileKind.MINUTE, sorted(days)), configured=True)
    except (VendorError, OSError) as error:
        return FilesSeen(problem=_in_words(error), configured=True)


def plan(facts: SlotFacts, files: FilesSeen) -> tuple[list[ledger.PartPlan], Mapping[str, list[dt.date]]]:
    """Return the parts that read files, and what of the missing slots no file covers.  Pure."""
    missing = facts.missing
    if not files.configured:
        return [], missing
    wanted = {day for days in missing.values() for day in days}
    if files.problem is not None and not facts.by_range:
        return [_part(day, replaced=False) for day in sorted(wanted)], {}  # nothing else brings them: asked again
    parts: list[ledger.PartPlan] = []
    by_file: set[dt.date] = set()
    for day in sorted((wanted - facts.at_fault) | (facts.loaded.keys() - facts.tried)):
        version = files.versions.get(day)
        replaced = day in facts.loaded and version not in (None, facts.loaded[day])
        if version is not None and (day in wanted or replaced):
            parts.append(_part(day, replaced=replaced))
            by_file.add(day)
    left = {symbol: [day for day in days if day not in by_file] for symbol, days in missing.items()}
    return parts, {symbol: days for symbol, days in left.items() if days}


async def tried_in_cycle(connection: Connection, terms: Terms) -> tuple[set[dt.date], set[dt.date]]:
    """The sessions whose file was tried and gave no row, and those of them where that was the file's own fault.

    A later pass does not fall for such a file again. One that a bucket would not give is tried where slots still lack:
    it may be back. Where the file is all there is, every one is tried.
    """
    tried = await done_without_rows(connection, terms.cycle, task="volume_slots", kind="file")
    days = {dt.date.fromisoformat(part.removeprefix("file:")): at_fault for part, at_fault in tried.items()}
    return set(days), {day for day, at_fault in days.items() if at_fault}


def _part(day: dt.date, *, replaced: bool) -> ledger.PartPlan:
    payload = {"session": day.isoformat(), "replaced": replaced}
    return ledger.PartPlan(task="volume_slots", part=f"file:{day}", payload=payload)


async def loaded_versions(connection: Connection, terms: Terms) -> dict[dt.date, str]:
    """The version of the file that each session of the window was loaded from last."""
    sessions = {str(day): day for day in terms.sessions(terms.options.slot_sessions)}
    rows = await connection.fetch(
        "SELECT DISTINCT ON (part) part, request_id FROM data_load WHERE source = $1 AND part = ANY ($2) "
        "ORDER BY part, load_id DESC",
        f"{terms.source.provenance}:{WAY}",
        [f"file:{day}" for day in sessions],
    )
    return {sessions[row["part"].removeprefix("file:")]: row["request_id"] for row in rows}


async def load_flat_file(ctx: PartContext) -> Write:
    """Read one session's minute file; every active symbol gets its row, from the file or as not traded."""
    day = dt.date.fromisoformat(ctx.payload["session"])
    fetched_at = ctx.services.now()
    try:
        file, found = await _read(ctx, day)
    except (VendorError, OSError) as error:
        return await _without_the_file(ctx, day, error)
    replaced = bool(ctx.payload.get("replaced"))
    sieve = ctx.sieve()
    sieve.absorb(found.rejected, found.set_aside)
    rows = await _rows_of(ctx, day, found, sieve)

    async def write(connection: Connection) -> PartReport:
        came = Came(at=fetched_at, rows=len(rows), sieve=sieve, way=WAY, request_id=file.version)
        loaded = await ctx.note_answer(connection, data_sets.VOLUME_SLOTS, day, came)
        weighed = await weigh_slots(connection, ctx, rows, loaded)
        taken, load_id = weighed.rows, loaded.load_id
        restated = await keep_restated(connection, ctx, taken, load_id=load_id) if replaced else 0
        await slots.write_slots(connection, taken, fetched_at=fetched_at, load_id=load_id)
        warnings = [*rejected_warnings(f"slots {day}", sieve.rejected), *weighed.warnings]
        if replaced:
            warnings.append(f"slots {day}: the vendor replaced the flat file, {restated} rows differ")
        return ledger.PartReport(rows=len(rows), warnings=tuple(warnings))

    return write


async def _rows_of(ctx: PartContext, day: dt.date, found: MinuteSlots, sieve: Sieve) -> list[SlotDay]:
    """The rows of all who traded, and of those without a trade that lack one; of a replaced file, of all listed."""
    active = await ctx.services.pool.fetchval(
        "SELECT coalesce(array_agg(symbol), '{}') FROM listed_ticker WHERE is_active"
    )
    lacking = [symbol for symbol, days in (await missing_slots(ctx.services.pool, ctx.terms)).items() if day in days]
    wanted = active if ctx.payload.get("replaced") else lacking
    spelled = listed_spellings(active)
    tests = await _test_issues(ctx, found.symbols)
    for symbol in sorted(tests):
        sieve.drop_row(Flaw.TEST_ISSUE, {"ticker": symbol}, symbol)
    traded = {
        spelled.get(symbol, symbol): (found.volumes[number], None if found.trades is None else found.trades[number])
        for number, symbol in enumerate(found.symbols)
        if symbol not in tests
    }
    nothing = np.zeros(found.volumes.shape[1]), None
    lost = [one.symbol for one in found.set_aside if one.symbol is not None and one.field is None]
    spoiled = {spelled.get(symbol, symbol) for symbol in lost}
    return [
        slot_day(day, symbol, *traded.get(symbol, nothing), doubtful=symbol in spoiled)
        for symbol in sorted({*wanted, *traded})
    ]


async def _test_issues(ctx: PartContext, symbols: Sequence[str]) -> set[str]:
    """Those that are called like test issues, but for what a listing knows as a share."""
    named = [symbol for symbol in symbols if is_test_issue(symbol)]
    states = await trading_evidence.read_states(ctx.services.pool, named)
    return {symbol for symbol in named if states.get(symbol, "test") == "test"}


async def _read(ctx: PartContext, day: dt.date) -> tuple[FlatFile, MinuteSlots]:
    store = ctx.services.flat_files
    if store is None:
        raise FlatFilesUnusable("MASSIVE_FLAT_FILES is not set any more")
    file = await store.fetch(FlatFileKind.MINUTE, day)
    found = await asyncio.to_thread(file.minute_slots, ctx.services.calendar.session(day))
    if not found.symbols:
        raise BadAnswer(f"the minute file of {day} is empty, which is a trading day")
    return file, found


async def _without_the_file(ctx: PartContext, day: dt.date, error: VendorError | OSError) -> Write:
    """Have REST asked once all files were tried: one request a symbol then brings all the sessions they left.

    Where this plan has no such bars the file is all there is, and its failure is the part's.
    """
    if await capabilities.is_lacking(ctx.services.pool, RANGE_BARS):
        raise error
    of_this_file = isinstance(error, BadAnswer | NotYetPublished)
    warnings = (f"slots {day}: the flat file is not used: {_in_words(error)}",) if of_this_file else ()
    asks_rest = ledger.PartPlan(
        task="volume_slots",
        part="plan:rest",
        after=(f"{data_sets.VOLUME_SLOTS}/slots",),
        payload={INSTEAD: None if of_this_file else _in_words(error)},
    )

    async def write(_connection: Connection) -> PartReport:
        return ledger.PartReport(warnings=warnings, spawned=(asks_rest,))

    return write


def _in_words(error: VendorError | OSError) -> str:
    return this_machine.in_words(error) if isinstance(error, OSError) else str(error)


def tell(files: FilesSeen) -> None:
    """Say once in the log that a plan does without flat files."""
    if files.problem is not None:
        logger.warning("flat_files_not_used", reason=files.problem, runbook="flat-files")
