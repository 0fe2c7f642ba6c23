"""Makes the answers about a symbol's sessions: daily bars and five-minute slots, raw or adjusted for its splits.

A session that is not stored is named as such and has no figure; one on which nobody traded has zeros, or no bar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
import numpy as np

from consumer.postgres import symbol_reads
from consumer.web.bodies import BadRequest
from consumer.web.reads import Answer
from consumer.web.symbols import missing
from contract import data_sets
from market.calendar_errors import CalendarError
from market.splits import ContradictorySplits, price_factors
from market.volume_slots import SLOTS_PER_DAY, first_unobserved_slot

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from consumer.postgres.symbol_reads import BarRow, SlotRow
    from consumer.web.asked import BarsAsked, SlotsAsked
    from consumer.web.known import Known
    from market.trading_calendar import TradingCalendar

_NOTHING = "no session is stored yet: the first night brings them; GET /status says when"


async def bars(connection: Connection, known: Known, symbol: str, asked: BarsAsked) -> Answer:
    """The bars of a page of sessions, ascending, and which of these sessions are not stored."""
    stands = known.as_of(data_sets.DAILY_BARS)
    if stands is None:
        return missing(_NOTHING)
    page, following = _page(asked, known.calendar, newest=stands.day)
    stored = await symbol_reads.covered_days(connection, data_sets.DAILY_BARS, page)
    rows = await symbol_reads.bars_of(connection, symbol, page[0], page[-1]) if page else []
    days = [row.trading_date for row in rows]
    factors = _factors(known, symbol, days, up_to=stands.day if asked.adjusted else None)
    document = {
        "symbol": symbol,
        "adjusted": asked.adjusted,
        "as_of": stands.day,
        "count": len(rows),
        "results": [_bar(row, factor) for row, factor in zip(rows, factors, strict=True)],
        "not_stored": [day for day in page if day not in stored],
        "next": None if following is None else _next(symbol, asked, following),
    }
    return Answer(body=msgspec.json.encode(document), stands=stands)


async def slots(connection: Connection, known: Known, symbol: str, asked: SlotsAsked) -> Answer:
    """The slots of some sessions, ascending; null for a session that is not stored or not proven."""
    stands = known.as_of(data_sets.SLOT_PROOF)
    if stands is None:
        return missing(_NOTHING)
    sessions = _sessions(asked, known.calendar, newest=stands.day)
    rows = {row.trading_date: row for row in await symbol_reads.slots_of(connection, symbol, sessions)}
    newest = known.as_of(data_sets.DAILY_BARS, data_sets.SLOT_PROOF) or stands
    factors = _factors(known, symbol, sessions, up_to=newest.day if asked.adjusted else None)
    document = {
        "symbol": symbol,
        "adjusted": asked.adjusted,
        "as_of": stands.day,
        "count": len(sessions),
        "results": [
            {
                "date": day,
                "unobserved_from": first_unobserved_slot(known.calendar.session(day)),
                **_slots(rows.get(day), factor),
            }
            for day, factor in zip(sessions, factors, strict=True)
        ],
    }
    return Answer(body=msgspec.json.encode(document), stands=stands)


def _page(asked: BarsAsked, calendar: TradingCalendar, *, newest: dt.date) -> tuple[list[dt.date], dt.date | None]:
    """The sessions of this page, and the first one of the next."""
    last = asked.to or newest
    try:
        if asked.first is None:
            return list(calendar.last_trading_days(asked.limit, up_to=last)), None
        if asked.first > last:
            raise BadRequest(f"from={asked.first} is after to={last}: exchange them, or leave one of them out")
        sessions = calendar.trading_days(asked.first, last)
    except CalendarError as error:
        raise BadRequest(f"{error}: ask for days from {calendar.FIRST_DAY} to {calendar.LAST_DAY}") from error
    return list(sessions[: asked.limit]), sessions[asked.limit] if len(sessions) > asked.limit else None


def _next(symbol: str, asked: BarsAsked, following: dt.date) -> str:
    query: dict[str, Any] = {"from": following, "limit": asked.limit, "adjusted": str(asked.adjusted).lower()}
    return f"/api/bars/{symbol}?{urlencode(query | ({'to': asked.to} if asked.to else {}))}"


def _sessions(asked: SlotsAsked, calendar: TradingCalendar, *, newest: dt.date) -> tuple[dt.date, ...]:
    day = asked.day or newest
    try:
        calendar.session(day)
        return calendar.last_trading_days(asked.days, up_to=day)
    except CalendarError as error:
        raise BadRequest(f"day={day}: {error}; ask for a session") from error


def _factors(known: Known, symbol: str, days: Sequence[dt.date], *, up_to: dt.date | None) -> Sequence[float | None]:
    """What each day's prices are multiplied by, for splits *up_to* a day; null where two of them contradict."""
    if up_to is None or not days:
        return [1.0] * len(days)
    splits = known.splits_of(symbol, after=min(days), up_to=up_to)
    try:
        factors: list[float] = price_factors(np.array(days, dtype="datetime64[D]"), splits, as_of=up_to).tolist()
    except ContradictorySplits:
        return [None] * len(days)
    return factors


def _bar(row: BarRow, factor: float | None) -> dict[str, object]:
    return {
        "date": row.trading_date,
        **{name: _times(getattr(row, name), factor) for name in ("open", "high", "low", "close", "vwap")},
        "volume": _over(row.volume, factor),
        "trades_count": row.trades_count,
        "price_factor": factor,
    }


def _slots(row: SlotRow | None, factor: float | None) -> dict[str, object]:
    """Volumes and their running sum; the rows of a session on which nobody traded are zeros."""
    if row is None or row.outcome == "unproven" or factor is None:
        outcome = "missing" if row is None else row.outcome
        return {"outcome": outcome, "price_factor": factor, "volumes": None, "accumulated": None, "trades": None}
    raw = row.volumes if row.volumes is not None else [0.0] * SLOTS_PER_DAY
    quiet = [0] * SLOTS_PER_DAY if row.outcome == "no_trades" else None
    return {
        "outcome": row.outcome,
        "price_factor": factor,
        "volumes": [_over(one, factor) for one in raw],
        "accumulated": [_over(one, factor) for one in np.cumsum(raw).tolist()],
        "trades": row.trades if row.trades is not None else quiet,
    }


def _times(price: float | None, factor: float | None) -> float | None:
    return None if price is None or factor is None else price * factor


def _over(volume: float, factor: float | None) -> float | int | None:
    """A volume on the basis of today; whole where it is, as counts are."""
    if factor is None:
        return None
    value = volume / factor
    return int(value) if value.is_integer() else value
