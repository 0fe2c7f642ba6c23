"""Judges a session: what stands of each data set, and what the session is in all.

Pure: a function of holdings, calendar, schedule, plan and the present instant. The same holdings give the same verdict,
whatever ran since; time alone turns what is not due into what is missing.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import CACHES, PARTS_OF_CACHES, parts_that_bring
from consumer.data_sets.declaration import Covers
from consumer.data_sets.vendor_plan import plan_of
from consumer.data_sets.volume_slots import UNPROVEN_TOLERATED
from consumer.postgres.holdings import Held, Newest
from consumer.verdict import ruler as rulers
from consumer.verdict.in_all import condition_in_all, condition_of, state_in_all
from consumer.verdict.ruler import Expectations, Ruler
from consumer.verdict.states import LACKING, DataSetVerdict, SessionState, SessionVerdict
from contract import data_sets as sets
from market.row_counts import fewest_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.data_sets.declaration import DataSet
    from consumer.postgres.holdings import Holdings

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
    judged = [one for one in _data_sets(day, holdings, ruler, every_set=every_set) if one.data_set not in never]
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
    Covers.PRESENT,
    Covers.SYMBOL,
    Covers.NEWEST_SESSION,
)
_IN_ORDER = tuple(sorted(rulers.JUDGED, key=lambda one: _ORDER.index(one.covers)))


def _data_sets(day: dt.date, holdings: Holdings, ruler: Ruler, *, every_set: bool) -> Iterable[DataSetVerdict]:
    for one in _IN_ORDER:
        match one.covers:
            case Covers.SESSION:
                if one.is_asked_for or every_set or day in holdings.of(one.name) or ruler.kept(one.name, day):
                    yield _session(one, day, holdings, ruler)
            case Covers.SYMBOL_AND_SESSION:
                slots = holdings.of(one.name).get(day)
                stands = slots is not None and (slots.retired or slots.kept)
                if every_set or stands or ruler.kept(one.name, day):
                    yield _slots(one, slots, day, holdings, ruler)
            case Covers.PRESENT:
                yield _present(one.name, day, holdings, ruler)
            case Covers.SYMBOL:
                yield _details(one.name, day, holdings, ruler)
            case Covers.NEWEST_SESSION:
                yield _computed(one.name, day, holdings, ruler)
            case Covers.NOTE:
                raise AssertionError(f"{one.name} is a note, of which no session can lack")
    yield _caches(day, holdings, ruler)


def _session(one: DataSet, day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    """By its load and the rows that stand; of what is asked for, no fewer than the sessions around it have."""
    counts = {other: held.expected for other, held in holdings.of(one.name).items() if not held.retired}
    early_close = ruler.schedule.calendar.session(day).early_close
    fewest = fewest_on(day, counts, early_close=early_close) if one.is_asked_for else 0
    held = holdings.of(one.name).get(day)
    if held is None:
        return _verdict(one.name, SessionState.MISSING, _none(fewest), day, holdings, ruler)
    short = 0 if held.accepted_short else max(0, fewest - held.loaded)
    short = 0 if held.retired else max(short, held.missing)
    state = SessionState.PARTIAL if short else _freshness(held, day, ruler)
    held = msgspec.structs.replace(held, expected=held.loaded + short, missing=short)
    return _verdict(one.name, state, held, day, holdings, ruler)


def _slots(one: DataSet, held: Held | None, day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    if held is None or (held.oldest is None and not held.retired):
        nothing = _none(0 if held is None else held.expected)
        return _verdict(one.name, SessionState.MISSING, nothing, day, holdings, ruler)
    hole = held.missing or held.unproven > UNPROVEN_TOLERATED * held.expected
    state = SessionState.PARTIAL if hole and not held.retired else _freshness(held, day, ruler)
    return _verdict(one.name, state, held, day, holdings, ruler)


def _none(expected: int) -> Held:
    return Held(expected=expected, loaded=0, missing=expected)


def _freshness(held: Held, day: dt.date, ruler: Ruler) -> SessionState:
    if held.retired:
        return SessionState.RETIRED
    assert held.oldest is not None, "what is not retired was fetched"
    return _by_time(held.oldest, day, ruler)


def _by_time(since: dt.datetime, day: dt.date, ruler: Ruler) -> SessionState:
    return SessionState.FINAL if since >= ruler.final_at(day) else SessionState.PROVISIONAL


def _present(name: str, day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    """Fetched since the session closed: it describes that session, or what came after it."""
    newest = holdings.newest.get(name)
    if newest is None or newest.fetched_at < ruler.schedule.calendar.session(day).closes_at:
        return _verdict(name, SessionState.MISSING, _none(0), day, holdings, ruler)
    return _verdict(name, _by_time(newest.fetched_at, day, ruler), _held(newest), day, holdings, ruler)


def _computed(name: str, day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    """Of that session, or of a later one: older figures are not computed again.

    Symbols that have none of the newest for a hole have none of any session since that hole either.
    """
    newest = holdings.newest.get(name)
    if newest is None or newest.trading_day < day:
        return _verdict(name, SessionState.MISSING, _none(0), day, holdings, ruler)
    since = newest.unbroken_since
    if newest.lost or (newest.broken and since is not None and day >= since):
        return _verdict(name, SessionState.PARTIAL, _held(newest), day, holdings, ruler)
    state = SessionState.FINAL if newest.trading_day > day else _by_time(newest.fetched_at, day, ruler)
    return _verdict(name, state, _held(newest), day, holdings, ruler)


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


def _details(name: str, day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    """Asked for at all, and not longer ago than they may be; each symbol has a phase of its own."""
    oldest = day - dt.timedelta(days=ruler.expectations.details_refresh_days + DETAILS_GRACE_DAYS)
    listed = [one for one in holdings.details if one.since is None or one.since <= day]
    expected = sum(one.symbols for one in listed)
    missing = sum(one.symbols for one in listed if one.asked_on is None or one.asked_on < oldest)
    state = SessionState.PARTIAL if missing else SessionState.FINAL
    if missing == expected and (missing or not holdings.symbols):
        state = SessionState.MISSING  # nobody was asked about, or nobody is known
    held = Held(expected=expected, loaded=expected - missing, missing=missing)
    return _verdict(name, state, held, day, holdings, ruler)


def _caches(day: dt.date, holdings: Holdings, ruler: Ruler) -> DataSetVerdict:
    """Written as of that session or a later one; those made of what the plan brings later come after it."""
    expected = [cache for cache in CACHES if ruler.plan.brings_slots or not _is_of_slots(cache)]
    there = {
        cache: holdings.newest[cache]
        for cache in expected
        if cache in holdings.newest and holdings.newest[cache].trading_day >= day
    }
    oldest = min((newest.fetched_at for newest in there.values()), default=None)
    lacking = [cache for cache in expected if cache not in there]
    state = SessionState.PARTIAL if there else SessionState.MISSING
    if oldest is not None and not lacking:
        beyond = all(newest.trading_day > day for newest in there.values())
        state = SessionState.FINAL if beyond else _by_time(oldest, day, ruler)
    held = Held(expected=len(expected), loaded=len(there), missing=len(lacking), oldest=oldest)
    waits_for = sets.VOLUME_SLOTS if all(map(_is_of_slots, lacking)) else None
    return _verdict(sets.CACHES_ALL, state, held, day, holdings, ruler, waits_for=waits_for)


def _is_of_slots(cache: str) -> bool:
    return sets.SLOT_PROOF in CACHES[cache].requires


def _verdict(
    name: str,
    state: SessionState,
    held: Held,
    day: dt.date,
    holdings: Holdings,
    ruler: Ruler,
    *,
    waits_for: str | None = None,
) -> DataSetVerdict:
    """Complete one data set's verdict: its findings, what the plan brings later, and the word for readers.

    What lacks of it may be made of another data set, that it *waits for*.
    """
    findings = holdings.findings.get((day, name), ())
    if findings and state in (SessionState.PROVISIONAL, SessionState.FINAL):
        state = SessionState.SUSPECT
    due_at = ruler.due_at(name if waits_for is None or state not in LACKING else waits_for, day)
    later = state in LACKING and ruler.is_later(waits_for or name, day)
    return DataSetVerdict(
        data_set=name,
        state=state,
        condition=condition_of(state, pending=later or ruler.now < due_at),
        due_at=due_at,
        expected=held.expected,
        loaded=held.loaded,
        empty=held.empty,
        unproven=held.unproven,
        missing=held.missing,
        set_aside=held.set_aside,
        restated=held.restated,
        since=held.oldest,
        later=later,
        outdated=name in rulers.SESSION_SETS and not held.retired and _is_outdated(held, day, ruler),
        why="; ".join(findings) or held.why or _reason(name, day, holdings, state),
        source=held.source,
        request_id=held.request_id,
        cycle=held.cycle,
        fence=held.fence,
    )


def _is_outdated(held: Held, day: dt.date, ruler: Ruler) -> bool:
    """Whether it should have been fetched again since: at a due time of its own, or on an evening after."""
    restate = ruler.expectations.restate_sessions
    return held.oldest is not None and held.oldest < ruler.schedule.settled_since(day, ruler.now, restate=restate)


def _reason(name: str, day: dt.date, holdings: Holdings, state: SessionState) -> str | None:
    if state not in LACKING:
        return None
    told = (holdings.reasons.get((day, part)) for part in _parts_that_bring(name))
    return next((reason for reason in told if reason is not None), None)


def _parts_that_bring(name: str) -> tuple[str, ...]:
    return PARTS_OF_CACHES if name == sets.CACHES_ALL else parts_that_bring(name)
