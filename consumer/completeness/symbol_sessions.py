"""Says what every session of a span holds of one symbol: its bar, its slots, or that nobody traded it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.completeness.sessions import SessionCoverage, Span, sessions_of
from consumer.postgres import symbol_view
from consumer.verdict.states import WHOLE, DataSetVerdict, SessionState
from contract import data_sets as sets

if TYPE_CHECKING:
    from consumer.completeness.sessions import Looks

_COUNTS = dict.fromkeys(("expected", "loaded", "empty", "unproven", "missing", "set_aside", "restated"), 0)


class UnknownSymbol(Exception):
    """No listing and no row has ever shown it."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a symbol: its bars' days, what became of its slots by day, and when it is listed.

    *until* is the session of the last listing that had it; None: it still is listed, or none has ever shown it.
    """

    bars: frozenset[dt.date]
    slots: dict[dt.date, str]
    since: dt.date
    until: dt.date | None = None


async def sessions_of_symbol(plan: Looks, span: Span, symbol: str) -> list[SessionCoverage]:
    """Return what the sessions have of *symbol*, newest first, from where it is listed. Raises UnknownSymbol."""
    found = await sessions_of(plan, span)
    days = sorted({one.trading_day for one in found})
    if not days:
        return []
    held = await _read(plan, symbol, days)
    own = (of_symbol(one, held) for one in found)
    return [one for one in own if one is not None]


async def _read(plan: Looks, symbol: str, days: list[dt.date]) -> Held:
    async with plan.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        names = await symbol_view.names_of(connection, symbol)
        listing = await symbol_view.listed(connection, symbol)
        bars = await symbol_view.bars_of(connection, symbol, names, since=days[0], up_to=days[-1])
        slots = await symbol_view.slots_of(connection, symbol, names, days)
    if listing is None and not bars and not slots:
        raise UnknownSymbol(symbol)
    stored = [bar.trading_day for bar in bars] + [row.trading_day for row in slots]
    since = None if listing is None else listing["issuer_since"]
    return Held(
        bars=frozenset(bar.trading_day for bar in bars),
        slots={row.trading_day: row.outcome for row in slots},
        since=min([*stored, *([] if since is None else [since])], default=dt.date.min),
        until=None if listing is None or listing["is_active"] else listing["last_seen"],
    )


def of_symbol(row: SessionCoverage, held: Held) -> SessionCoverage | None:
    """The same of one symbol; None where it is nothing that the session could have of it.  Pure.

    A session whose bars are whole has a bar of everybody who traded: who has none did not trade.
    """
    one, day = row.one, row.trading_day
    if day < held.since or _had_left(one.data_set, day, held):
        return None
    outcome = held.slots.get(day)
    match one.data_set:
        case sets.DAILY_BARS if day in held.bars:
            counted = {"loaded": 1}
        case sets.DAILY_BARS if one.state in WHOLE or outcome == "no_trades":
            counted = {"empty": 1}
        case sets.VOLUME_SLOTS if outcome is not None:
            counted = {{"traded": "loaded", "no_trades": "empty"}.get(outcome, "unproven"): 1}
        case sets.VOLUME_SLOTS if one.state in WHOLE:
            return None  # it was not expected there
        case sets.DAILY_BARS | sets.VOLUME_SLOTS if one.retired:
            counted = {}  # deleted of everybody, and on purpose
        case sets.DAILY_BARS | sets.VOLUME_SLOTS:
            counted = {"missing": 1}
        case _:
            return None
    lacks = "missing" in counted or "unproven" in counted
    state = SessionState.MISSING if "missing" in counted else SessionState.PARTIAL if lacks else _without_lack(one)
    own = msgspec.structs.replace(one, state=state, **{**_COUNTS, "expected": len(counted), **counted})
    return SessionCoverage(trading_day=day, one=own, is_gap=row.is_gap and lacks)


def _had_left(data_set: str, day: dt.date, held: Held) -> bool:
    """Whether it was off the listing by then and nothing is stored: the plan expects nothing of it there either."""
    stored = day in held.slots or (data_set == sets.DAILY_BARS and day in held.bars)
    return held.until is not None and day > held.until and not stored


def _without_lack(one: DataSetVerdict) -> SessionState:
    """What others lack of the session is not this symbol's."""
    return one.state if one.state in WHOLE or one.state is SessionState.RETIRED else SessionState.PROVISIONAL
