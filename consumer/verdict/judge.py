"""Judges a session: what stands of each data set, and what the session is in all.

Pure: a function of holdings, calendar, schedule, plan and the present instant. The same holdings give the same verdict,
whatever ran since; time alone turns what is not due into what is missing.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import CACHES
from consumer.data_sets.declaration import Covers
from consumer.data_sets.vendor_plan import plan_of
from consumer.data_sets.volume_slots import UNPROVEN_TOLERATED
from consumer.postgres.holdings import Held, Newest
from consumer.verdict import ruler as rulers
from consumer.verdict.beside import beside
from consumer.verdict.data_set import Case, by_time, freshness, nothing_of, verdict_on
from consumer.verdict.deadlines import with_deadline
from consumer.verdict.in_all import condition_in_all, state_in_all
from consumer.verdict.ruler import Expectations, Ruler
from consumer.verdict.states import SessionState, SessionVerdict
from contract import data_sets as sets
from market.row_counts import fewest_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.data_sets.declaration import DataSet
    from consumer.postgres.holdings import Holdings
    from consumer.verdict.states import DataSetVerdict

#: Details may be this many days older than they are to be refreshed before they count as lacking.
DETAILS_GRACE_DAYS = 7


def ruler_of(holdings: Holdings, expectations: Expectations, now: dt.datetime) -> Ruler:
    """Return by what *holdings* are measured at *now*."""
    plan = plan_of(
        holdings.capabilities,
        requests_per_second=expectations.requests_per_second,
        slot_files=expectations.slot_files,
    )
    firsts = {name: day for name in holdings.sessions if (day := holdings.first_day(name)) is not None}
    return Ruler(
        expectations=expectations,
        plan=plan,
        now=now,
        symbols=holdings.symbols,
        began_at=holdings.began_at or now,
        first_days=firsts,
    )


def judge(day: dt.date, holdings: Holdings, ruler: Ruler, *, every_set: bool = False) -> SessionVerdict:
    """Return the verdict on the session of *day*; with *every_set* as if slots were kept of any day."""
    never = ruler.not_in_plan()
    case = Case(day=day, holdings=holdings, ruler=ruler)
    # That what comes beside the slots does not come without them goes without saying.
    untold = {*never, *(rulers.SLOT_SETS if sets.VOLUME_SLOTS in never else ())}
    found = [one for one in _data_sets(case, every_set=every_set) if one.data_set not in untold]
    judged = [with_deadline(one, ruler, day) for one in found]
    state = state_in_all(judged)
    stamps = [one.since for one in judged if one.since is not None and one.data_set in rulers.SESSION_SETS]
    held = [holdings.of(name).get(day) for name in rulers.SESSION_SETS]
    modified = [one.newest for one in held if one is not None and one.newest is not None]
    return SessionVerdict(
        trading_day=day,
        state=state,
        condition=condition_in_all(state, judged),
        due_at=ruler.first_due(day),
        final_at=ruler.final_at(day),
        data_sets=tuple(judged),
        not_in_plan=never,
        since=max(stamps, default=None),
        last_modified_at=max(modified, default=None),
    )


#: In which order a verdict says them: the session's own first, then what describes the present, then the figures.
_ORDER = (
    Covers.SESSION,
    Covers.SYMBOL_AND_SESSION,
    Covers.BESIDE,
    Covers.PRESENT,
    Covers.SYMBOL,
    Covers.NEWEST_SESSION,
)
_IN_ORDER = tuple(sorted(rulers.JUDGED, key=lambda one: _ORDER.index(one.covers)))


def _data_sets(case: Case, *, every_set: bool) -> Iterable[DataSetVerdict]:
    for one in _IN_ORDER:
        match one.covers:
            case Covers.SESSION:
                stands = case.day in case.holdings.of(one.name)
                if one.is_asked_for or every_set or stands or case.ruler.kept(one.name, case.day):
                    yield _session(one, case)
            case Covers.SYMBOL_AND_SESSION | Covers.BESIDE:
                slots = case.holdings.of(one.name).get(case.day)
                stands = slots is not None and (slots.retired or slots.kept)
                if every_set or stands or case.ruler.kept(one.name, case.day):
                    yield beside(slots, one.name, case) if one.covers is Covers.BESIDE else _slots(one, slots, case)
            case Covers.PRESENT:
                yield _present(one.name, case)
            case Covers.SYMBOL:
                yield _details(one.name, case)
            case Covers.NEWEST_SESSION:
                yield _computed(one.name, case)
            case Covers.NOTE:
                raise AssertionError(f"{one.name} is a note, of which no session can lack")
    yield _caches(case)


def _session(one: DataSet, case: Case) -> DataSetVerdict:
    """By its load and the rows that stand; of what is asked for, no fewer than the sessions around it have."""
    counts = {other: held.expected for other, held in case.holdings.of(one.name).items() if not held.retired}
    early_close = case.ruler.schedule.calendar.session(case.day).early_close
    fewest = fewest_on(case.day, counts, early_close=early_close) if one.is_asked_for else 0
    held = case.holdings.of(one.name).get(case.day)
    if held is None:
        return verdict_on(case, one.name, SessionState.MISSING, nothing_of(fewest))
    short = 0 if held.accepted_short else max(0, fewest - held.loaded)
    short = 0 if held.retired else max(short, held.missing)
    state = SessionState.PARTIAL if short else freshness(held, case)
    held = msgspec.structs.replace(held, expected=held.loaded + short, missing=short)
    return verdict_on(case, one.name, state, held)


def _slots(one: DataSet, held: Held | None, case: Case) -> DataSetVerdict:
    if held is None or (held.oldest is None and not held.retired):
        nothing = nothing_of(0 if held is None else held.expected)
        return verdict_on(case, one.name, SessionState.MISSING, nothing)
    hole = held.missing or held.unproven > UNPROVEN_TOLERATED * held.expected
    state = SessionState.PARTIAL if hole and not held.retired else freshness(held, case)
    return verdict_on(case, one.name, state, held)


def _present(name: str, case: Case) -> DataSetVerdict:
    """Fetched since the session closed: it describes that session, or what came after it."""
    newest = case.holdings.newest.get(name)
    if newest is None or newest.fetched_at < case.ruler.schedule.calendar.session(case.day).closes_at:
        return verdict_on(case, name, SessionState.MISSING, nothing_of(0))
    return verdict_on(case, name, by_time(newest.fetched_at, case), _held(newest))


def _computed(name: str, case: Case) -> DataSetVerdict:
    """Of that session, or of a later one: older figures are not computed again.

    Symbols that have none of the newest for a hole have none of any session since that hole either.
    """
    newest = case.holdings.newest.get(name)
    if newest is None or newest.trading_day < case.day:
        return verdict_on(case, name, SessionState.MISSING, nothing_of(0))
    since = newest.unbroken_since
    if newest.lost or (newest.broken and since is not None and case.day >= since):
        return verdict_on(case, name, SessionState.PARTIAL, _held(newest))
    state = SessionState.FINAL if newest.trading_day > case.day else by_time(newest.fetched_at, case)
    return verdict_on(case, name, state, _held(newest))


def _held(newest: Newest) -> Held:
    since = f"{newest.unbroken_since:%a %d %b %Y}" if newest.unbroken_since is not None else ""
    return Held(
        expected=newest.rows + newest.broken,
        loaded=newest.rows - newest.lost,
        missing=newest.broken + newest.lost,
        oldest=newest.fetched_at,
        newest=newest.fetched_at,
        why=f"a session is missing before {since}; backfill it" if newest.broken else None,
    )


def _details(name: str, case: Case) -> DataSetVerdict:
    """Asked for at all, and not longer ago than they may be; each symbol has a phase of its own."""
    oldest = case.day - dt.timedelta(days=case.ruler.expectations.details_refresh_days + DETAILS_GRACE_DAYS)
    listed = [one for one in case.holdings.details if one.since is None or one.since <= case.day]
    expected = sum(one.symbols for one in listed)
    missing = sum(one.symbols for one in listed if one.asked_on is None or one.asked_on < oldest)
    state = SessionState.PARTIAL if missing else SessionState.FINAL
    if missing == expected and (missing or not case.holdings.symbols):
        state = SessionState.MISSING  # nobody was asked about, or nobody is known
    held = Held(expected=expected, loaded=expected - missing, missing=missing)
    return verdict_on(case, name, state, held)


def _caches(case: Case) -> DataSetVerdict:
    """Written as of that session or a later one; those made of what the plan brings later come after it."""
    expected = [cache for cache in CACHES if case.ruler.plan.brings_slots or not _is_of_slots(cache)]
    there = {
        cache: case.holdings.newest[cache]
        for cache in expected
        if cache in case.holdings.newest and case.holdings.newest[cache].trading_day >= case.day
    }
    oldest = min((newest.fetched_at for newest in there.values()), default=None)
    lacking = [cache for cache in expected if cache not in there]
    state = SessionState.PARTIAL if there else SessionState.MISSING
    if oldest is not None and not lacking:
        beyond = all(newest.trading_day > case.day for newest in there.values())
        state = SessionState.FINAL if beyond else by_time(oldest, case)
    held = Held(expected=len(expected), loaded=len(there), missing=len(lacking), oldest=oldest)
    waits_for = sets.VOLUME_SLOTS if all(map(_is_of_slots, lacking)) else None
    return verdict_on(case, sets.CACHES_ALL, state, held, waits_for=waits_for)


def _is_of_slots(cache: str) -> bool:
    return sets.SLOT_PROOF in CACHES[cache].requires
