"""`maintenance symbol AAPL`: its bars, ATR, slots beside the usual ones, Redis beside PostgreSQL, and why they say so.

What is said is the page's own answer (consumer/page/symbol.py): two surfaces cannot differ.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from typing import TYPE_CHECKING

import msgspec

from consumer.page.symbol import Profile, Symbol, read_symbol
from consumer.runtime import utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import SymbolShown, UsualAt, write_json
from consumer.terminal.chart import bar_of, bars_chart
from consumer.terminal.reach import looking
from consumer.terminal.refused import usage
from consumer.verdict.options import expectations_set
from consumer.web.monitor import Monitor
from contract import keys
from market.schedule import Schedule
from market.session import EXTENDED_CLOSE, EXTENDED_OPEN
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.page.symbol import Compared, Why
    from consumer.postgres.symbol_view import LoadLine
    from consumer.settings import Settings

SLOT_MINUTES = 5
HOURS = tuple(f"{hour:02}:00" for hour in (8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20))
WIDE = 110


class AtrText(msgspec.Struct, frozen=True, kw_only=True):
    """A value of `atr:daily`."""

    atr: float
    atr_percent: float
    updated: str
    bars: int


async def show(settings: Settings, name: str, *, at: str | None, as_json: bool) -> int:
    """Print it; 3 where Redis holds something else than PostgreSQL would have it hold. Raises CommandRefused."""
    slot = None if at is None else slot_ending(at)
    expectations = expectations_set(settings, Schedule(build_calendar(settings), settings.rules))
    async with looking(settings) as service:
        monitor = Monitor(pool=service.pool, redis=service.redis, expectations=expectations, now=utc_now)
        found = await read_symbol(monitor, name)
    if found is None:
        raise usage(f"nothing is known of {name[:20]}: no listing has shown it, and it has no bar")
    usual = None if at is None or slot is None else usual_at(found, at, slot)
    if as_json:
        write_json(SymbolShown(**msgspec.structs.asdict(found), usual=usual))
    else:
        wide = min(shutil.get_terminal_size((WIDE, 24)).columns, WIDE) if sys.stdout.isatty() else WIDE
        lines = told(found, width=wide) if usual is None else told_at(found, usual)
        sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.FINDING if differs(found) else ExitCode.OK


def slot_ending(at: str) -> int:
    """Return the slot that ends at *at*, or the one before where it is within one. Raises CommandRefused."""
    time = dt.time.fromisoformat(at)
    slot = ((time.hour - EXTENDED_OPEN.hour) * 60 + time.minute) // SLOT_MINUTES - 1
    if slot < 0 or time > EXTENDED_CLOSE:
        raise usage(f"--at {at}: between 04:05 and 20:00 New York time")
    return slot


def usual_at(found: Symbol, at: str, slot: int) -> UsualAt:
    """Return what is usual by then."""
    profile = found.profile
    return UsualAt(
        at=at,
        slot=slot,
        key=keys.RVOL_AVERAGES.pattern.format(symbol=found.symbol),
        field=str(slot),
        cached=profile.average[slot],
        stored=profile.stored_average[slot],
        newest=profile.today[slot] if profile.today else None,
    )


def differs(found: Symbol) -> bool:
    """Whether a cached value is another than the database's."""
    return found.profile.equal is False or any(one.equal is False for one in found.compared)


def told(found: Symbol, *, width: int) -> list[str]:
    """Return all of it for a person."""
    return [
        *_head(found),
        "",
        *bars_chart(found.bars, found.marks, width=width),
        *(f"  {one.day} {one.kind}: {one.words}{'' if one.counts else ' (does not count)'}" for one in found.marks[:8]),
        "",
        *_atr(found.compared),
        *_beside(found.compared),
        "",
        *_profile(found.profile),
        "",
        "why",
        *(f"  {_why(one)}" for one in found.why),
        f"usual volume by a time, and where it comes from: maintenance symbol {found.symbol} --at 10:00",
    ]


def told_at(found: Symbol, usual: UsualAt) -> list[str]:
    """Return the answer to what is usual by a time of day, and where that number comes from."""
    profile = found.profile
    if usual.stored is None and usual.cached is None:
        return [f"{found.symbol} has no usual volume: no session of the last ones has its slots"]
    known = usual.stored if usual.cached is None else usual.cached
    lines = [
        f"{found.symbol} has usually traded {_shares(known)} shares by {usual.at} ET "
        f"(mean of {len(profile.sessions)} sessions up to {profile.as_of or 'the newest'}, since 04:00 ET)",
        f"  Redis       {_shares(usual.cached)} in field {usual.field} of {usual.key}",
        f"  PostgreSQL  {_shares(usual.stored)} computed from the sessions below"
        + (": the same" if usual.cached == usual.stored else ": ANOTHER; `maintenance verify` looks further"),
    ]
    if usual.newest is not None and known:
        lines.append(f"  {profile.day} had {_shares(usual.newest)} by then, {usual.newest / known:.2f} of the usual")
    lines += ["made of, as traded:"]
    for one in profile.made_of:
        value = _shares(one.accumulated[usual.slot]) if one.accumulated else one.outcome.replace("_", " ")
        lines.append(f"  {one.trading_day}  {value:>14}  {_load(one.load)}")
    return lines


def _head(found: Symbol) -> list[str]:
    listing = found.listing or {}
    names = [str(listing[name]) for name in ("company_name", "ticker_type", "exchange", "sector") if listing.get(name)]
    former = f", before as {', '.join(found.names[1:])}" if len(found.names) > 1 else ""
    state = "never listed" if not listing else "listed" if listing.get("is_active") else "not listed any more"
    cut = [] if found.cut_on is None else [f"figures are made of nothing before {found.cut_on}"]
    return [f"{found.symbol}: {', '.join(names) or 'no name known'} ({state}{former})", *cut]


def _atr(compared: list[Compared]) -> Iterator[str]:
    """The ATR in words; what it is worth is in the cache's own text."""
    for one in compared:
        if one.key.startswith(keys.ATR_DAILY.pattern):
            try:
                said = msgspec.json.decode(one.cached or one.stored or "", type=AtrText)
            except msgspec.DecodeError:  # nobody has it, or somebody has written something else
                return
            share = f"{said.atr_percent:.2f} % of the close of {said.updated}"
            yield f"ATR(14) {said.atr:.6g}, {share}, over {said.bars} bars"


def _beside(compared: list[Compared]) -> Iterator[str]:
    """The cached value beside the database's."""
    for one in compared:
        as_of = "" if one.as_of is None else f" (as of {one.as_of})"
        if one.equal is None:
            yield f"{one.key}: neither Redis nor PostgreSQL has it"
            continue
        yield f"{one.key}{as_of}: {'the same in Redis and PostgreSQL' if one.equal else 'NOT the same'}"
        yield f"  Redis       {one.cached or 'nothing'}"
        if not one.equal:
            yield f"  PostgreSQL  {one.stored or 'nothing'}"


def _profile(profile: Profile) -> Iterator[str]:
    """The newest session's accumulated volume beside the usual one."""
    if all(value is None for value in (*profile.average, *profile.stored_average)):  # 0.0 is a usual volume
        yield "no usual volumes: no session of the last ones has its slots"
        return
    same = "PostgreSQL has the same" if profile.equal else "PostgreSQL has OTHERS: `maintenance verify`"
    day = profile.day or "no session"
    yield f"volume since 04:00 ET: {day} beside the usual (mean of {len(profile.sessions)} sessions, {same})"
    yield f"  {'by':<8} {'usually':>16} {day!s:>16} {'times the usual' if profile.today else ''}".rstrip()
    for at in HOURS:
        slot = slot_ending(at)
        usual = profile.average[slot] if profile.average[slot] is not None else profile.stored_average[slot]
        newest = profile.today[slot] if profile.today else None
        share = newest / usual if newest is not None and usual else None
        drawn = "" if share is None else f"{share:5.2f} {bar_of(share)}"
        yield f"  {at} ET {_shares(usual):>16} {_shares(newest):>16} {drawn}".rstrip()


def _shares(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.0f}"


def _why(one: Why) -> str:
    origin = "" if one.origin is None else f" ({one.origin.kind} by {one.origin.requested_by})"
    return f"{one.what}: {_load(one.load)}{origin}"


def _load(load: LoadLine | None) -> str:
    """From which request or file, by which part of which cycle."""
    if load is None:
        return "its record is gone, or it was never loaded"
    request = "" if load.request_id is None else f", request {load.request_id}"
    cycle = "" if load.cycle_id is None else f" of cycle {load.cycle_id}"
    fetched = f"fetched {load.fetched_at:%Y-%m-%d %H:%M} UTC"
    return f"{load.source}{request}, load {load.load_id} by {load.task} {load.part}{cycle}, {fetched}"
