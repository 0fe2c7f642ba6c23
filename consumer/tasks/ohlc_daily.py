"""ohlc_daily: a session's bars, one request each, weighed against what stands before they replace it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import bars, coverage, evidence, ledger, trading_evidence
from consumer.tasks import standing
from consumer.tasks.answers import Answer, Leave, Refuse, Take, bars_of, lost_rows
from consumer.tasks.part import Came
from consumer.tasks.set_aside import rejected_warnings
from consumer.tasks.weighing import weigh
from consumer.vendor.daily_rows import as_listed
from consumer.vendor.errors import BadAnswer
from consumer.vendor.rows import DailyRow, Flaw
from consumer.vendor.sieve import Sieve
from contract import data_sets
from market.row_counts import NEIGHBOURS, fewest_on
from market.schedule import final_at
from market.symbols import is_test_issue, listed_spellings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write
    from consumer.vendor.rows import GroupedDaily, SetAside

# A session is never replaced by one that holds less than this share of what is stored: such an answer was cut.
SMALLEST_SHARE = 0.7


async def load_session_bars(ctx: PartContext) -> Write:
    """One session's bars of the whole market. An empty or short answer is refused: on a trading day it is wrong."""
    day = dt.date.fromisoformat(ctx.payload["session"])
    fetched_at = ctx.services.now()
    answer = await ctx.services.vendor.grouped_daily(day)
    sifted = await sift(ctx, day, answer)
    fewest = await fewest_bars(ctx, day)
    judged = await standing.implausible(ctx, day, sifted.rows)
    came = Came(at=fetched_at, rows=len(sifted.rows), sieve=sifted.sieve, request_id=answer.request_id)

    async def write(connection: Connection) -> PartReport:
        short = await _is_short(connection, day, came, fewest=fewest, forced=ctx.cycle.force)
        stands = await standing.read_standing(connection, day, ctx.services.calendar)
        fate = Take() if stands is None else weigh(stands, _answer(sifted, judged, came, may_lack=short))
        if isinstance(fate, Refuse) and fate.finding is None:
            return _refused(day, fate, came)  # the same answer is aside already
        # What it lost is kept also of an answer that is put aside: once it is taken, its losses are holes.
        loaded = await ctx.note_answer(connection, data_sets.DAILY_BARS, day, came)
        await standing.note_fate(connection, day, fate, sifted.rows, loaded)
        match fate:
            case Refuse():
                return _refused(day, fate, came)
            case Leave():
                await coverage.confirm(connection, data_sets.DAILY_BARS, day, fetched_at=fetched_at)
                return ledger.PartReport(warnings=(f"bars {day}: what stands was accepted, and is kept",))
        return await _take(connection, ctx, sifted, loaded, _Taking(day=day, fate=fate, short=short))

    return write


async def _is_short(connection: Connection, day: dt.date, came: Came, *, fewest: int, forced: bool) -> bool:
    """Whether fewer rows came than stand there, or the sessions around it lead to expect. Raises BadAnswer then.

    A person who knows better forces it, and it is noted.
    """
    stored = await bars.count_bars(connection, day)
    short = came.rows < max(SMALLEST_SHARE * stored, fewest)
    if short and not forced:
        raise BadAnswer(
            f"{came.rows} bars for {day} where {stored} are stored and the sessions around it lead to expect "
            f"{fewest} at least; if it is so, trigger the day with force",
            request_id=came.request_id,
        )
    return short


class Sifted(msgspec.Struct, frozen=True, kw_only=True):
    """An answer without test issues, by the symbols of the listing.

    *tests*: of each test issue whether a listing calls it one. *seen*: by listed symbol how the bars spell it, where
    otherwise. *is_listed*: whether there is a listing at all.
    """

    rows: list[DailyRow]
    sieve: Sieve
    tests: Mapping[str, bool]
    seen: Mapping[str, str]
    is_listed: bool


async def sift(ctx: PartContext, day: dt.date, answer: GroupedDaily) -> Sifted:
    """Leave out what is no share's bar, and name the others as they are listed; nothing left is no answer."""
    tests = await _test_issues(ctx, answer)
    if not any(row.T not in tests for row in answer.rows):
        raise BadAnswer(f"no bars for {day}, which is a trading day", request_id=answer.request_id)
    active = await ctx.services.pool.fetchval(_LISTED)
    spellings = listed_spellings(active)
    sieve = ctx.sieve()
    sieve.absorb(answer.rejected, _named_as_listed(answer.set_aside, spellings))
    for row in answer.rows:
        if row.T in tests:
            sieve.drop_row(Flaw.TEST_ISSUE, row, row.T)
    rows = as_listed([row for row in answer.rows if row.T not in tests], spellings, sieve)
    seen = {spellings[row.T]: row.T for row in answer.rows if row.T in spellings}
    return Sifted(rows=rows, sieve=sieve, tests=tests, seen=seen, is_listed=bool(active))


def _answer(sifted: Sifted, judged: standing.Judged, came: Came, *, may_lack: bool) -> Answer:
    return Answer(
        rows=sifted.rows,
        bars=bars_of(sifted.rows),
        found=judged.found,
        fetched_at=came.at,
        may_lack=may_lack,
        exchange_of=judged.exchange_of,
        lost=lost_rows(sifted.sieve.set_aside),
    )


class _Taking(msgspec.Struct, frozen=True, kw_only=True):
    """Of which session an answer is taken, which rows stay, and whether a person forced it though it is short."""

    day: dt.date
    fate: Take
    short: bool


async def _take(
    connection: Connection, ctx: PartContext, sifted: Sifted, loaded: Loaded, taking: _Taking
) -> PartReport:
    """Put the answer in place of what stands, and say what is remarkable about it."""
    day, rows, keep = taking.day, sifted.rows, taking.fate.keep
    restated = await _restated(connection, ctx, rows, taking, load_id=loaded.load_id)
    await bars.replace_bars(connection, day, rows, load_id=loaded.load_id, keep=keep)
    await _remember_spellings(connection, sifted.seen)
    counted = loaded.counting(await bars.count_bars(connection, day))
    detail = {"restated": restated} | ({"accepted_short": True} if taking.short else {})
    await coverage.record_coverage(connection, data_sets.DAILY_BARS, day, counted, detail=detail)
    finding = taking.fate.finding
    warnings = [*rejected_warnings(f"bars {day}", sifted.sieve.rejected)]
    warnings += _unlisted_tests_warning(day, sifted.tests) if sifted.is_listed else []
    warnings += [f"bars {day}: {restated} rows were restated by the vendor"] if restated else []
    warnings += [f"bars {day}: only {len(rows)}, taken by force"] if taking.short else []
    warnings += [f"bars {day}: {finding.reason}"] if finding is not None else []
    return ledger.PartReport(rows=len(rows), warnings=tuple(warnings))


def _refused(day: dt.date, fate: Refuse, came: Came) -> PartReport:
    """The finding is committed; the part is to be tried again, as after any wrong answer."""
    bad = BadAnswer(f"bars of {day} are kept as they stand: {fate.reason}", request_id=came.request_id)
    return ledger.PartReport(unfinished=bad)


async def _test_issues(ctx: PartContext, answer: GroupedDaily) -> dict[str, bool]:
    """Return the test issues of *answer*, and of each whether a listing calls it one: a name alone is no proof."""
    named = [row.T for row in answer.rows if is_test_issue(row.T)]
    known = await trading_evidence.read_states(ctx.services.pool, named)
    return {symbol: symbol in known for symbol in named if known.get(symbol, "test") == "test"}


def _unlisted_tests_warning(day: dt.date, tests: Mapping[str, bool]) -> list[str]:
    unlisted = [symbol for symbol, is_listed in tests.items() if not is_listed]
    if not unlisted:
        return []
    return [f"bars {day}: left out as test issues by their names alone, no listing has them: {', '.join(unlisted)}"]


_LISTED = "SELECT coalesce(array_agg(symbol), '{}') FROM listed_ticker WHERE is_active"


def _named_as_listed(set_aside: Iterable[SetAside], spellings: dict[str, str]) -> list[SetAside]:
    """Who asks for what is missing of a symbol asks by the name of the listing."""
    return [
        msgspec.structs.replace(one, symbol=spellings[one.symbol]) if one.symbol in spellings else one
        for one in set_aside
    ]


async def _remember_spellings(connection: Connection, seen: Mapping[str, str]) -> None:
    """Intraday bars will be asked for under the same spelling."""
    await connection.execute(
        "UPDATE listed_ticker AS u SET market_data_symbol = s.spelling "
        "FROM unnest($1::text[], $2::text[]) AS s (symbol, spelling) "
        "WHERE u.symbol = s.symbol AND u.market_data_symbol IS DISTINCT FROM s.spelling",
        list(seen),
        list(seen.values()),
    )


async def fewest_bars(ctx: PartContext, day: dt.date) -> int:
    """Return how many bars *day* must have to be believed."""
    counts = await coverage.counts_near(ctx.services.pool, data_sets.DAILY_BARS, day, at_most=NEIGHBOURS)
    return fewest_on(day, counts, early_close=ctx.services.calendar.session(day).early_close)


async def _restated(
    connection: Connection, ctx: PartContext, rows: list[DailyRow], taking: _Taking, *, load_id: int
) -> int:
    """Keep what the vendor changed in a session that had been final, and return how many rows that is."""
    day, keep = taking.day, taking.fate.keep
    known = await coverage.covered_on(connection, data_sets.DAILY_BARS, day)
    if known is None or known.fetched_at < final_at(ctx.services.calendar.session(day)):
        return 0  # a provisional session is completed, not restated
    after = {row.T: (row.o, row.h, row.l, row.c, row.v, row.vw, row.n) for row in rows if row.T not in keep}
    before = await bars.read_session(connection, day)
    found = evidence.changes_of({symbol: row for symbol, row in before.items() if symbol not in keep}, after)
    await evidence.keep_restatements(
        connection, data_sets.DAILY_BARS, day, found, load_id=load_id, now=ctx.services.now()
    )
    return len(found)
