"""Makes the answers about what is usual of a symbol: mean accumulated volumes, numbers of trades, and ATR.

The figures are those of the caches, made by the same functions from what stands. What nobody observed is null, and
nobody is asked for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import symbol_reads
from consumer.postgres.slot_trades import StoredTrades
from consumer.postgres.symbol_reads import SlotRow, Stands
from consumer.tasks.rvol_caches import rvol_averages
from consumer.tasks.trades_caches import trades_baselines
from consumer.web.reads import Answer
from consumer.web.symbols import missing
from contract import data_sets
from market.splits import ContradictorySplits, Split
from market.volume_slots import SLOTS_PER_DAY, UNKNOWN_TRADES, first_unobserved_slot

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.web.asked import AveragesAsked, SlotAverageAsked, TradesAsked
    from consumer.web.known import Known


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that a figure is made of, and what is stored of them; rows with volumes come first."""

    stands: Stands
    sessions: tuple[dt.date, ...]
    observed_until: list[int]
    rows: list[SlotRow]
    splits: list[Split]

    @property
    def proven(self) -> dict[dt.date, int]:
        """Up to which slot each session was observed."""
        until = dict(zip(self.sessions, self.observed_until, strict=True))
        return {row.trading_date: until[row.trading_date] for row in self.rows if row.outcome != "unproven"}


async def slot_average(connection: Connection, known: Known, symbol: str, asked: SlotAverageAsked) -> Answer:
    """The mean accumulated volume up to one slot."""
    window = await _window(connection, known, symbol, data_sets.CACHE_RVOL, asked.days)
    if window is None or not window.rows:
        return missing(f"No historical data: no session of {symbol} is stored that the mean could be of")
    averages = _averages(symbol, window)
    document = {
        "symbol": symbol,
        "slot": asked.slot,
        "avg": averages[min(asked.slot, SLOTS_PER_DAY - 1)],
        "days": asked.days,
        "sessions": len(window.proven),
        "as_of": window.stands.day,
    }
    return Answer(body=msgspec.json.encode(document), stands=window.stands)


async def averages(connection: Connection, known: Known, symbol: str, asked: AveragesAsked) -> Answer:
    """The mean accumulated volumes of all slots; those that no session observed are left out, as of the cache."""
    window = await _window(connection, known, symbol, data_sets.CACHE_RVOL, asked.days)
    if window is None or not window.rows:
        return missing(f"No historical data: no session of {symbol} is stored that the means could be of")
    means = enumerate(_averages(symbol, window)[: asked.max_slot + 1])
    told = {str(slot): mean for slot, mean in means if mean is not None}
    document = {
        "symbol": symbol,
        "days": asked.days,
        "slots": len(told),
        "sessions": len(window.proven),
        "as_of": window.stands.day,
        "averages": told,
    }
    return Answer(body=msgspec.json.encode(document), stands=window.stands)


async def trades(connection: Connection, known: Known, symbol: str, asked: TradesAsked) -> Answer:
    """What is usual of a day's number of trades, and of each slot's; null where too few sessions tell."""
    window = await _window(connection, known, symbol, data_sets.CACHE_TRADES, asked.days)
    if window is None or not window.rows:
        return missing(f"No historical trades data: no session of {symbol} is stored")
    fields = _trades(symbol, window)
    document = {
        "symbol": symbol,
        "days": asked.days,
        "days_count": int(fields.get("days", "0")),
        "avg_trades": float(fields["avg"]) if "avg" in fields else None,
        "std_trades": float(fields["std"]) if "std" in fields else None,
        "as_of": window.stands.day,
        "slots": {name: msgspec.Raw(text.encode()) for name, text in fields.items() if name.isdigit()},
    }
    return Answer(body=msgspec.json.encode(document), stands=window.stands)


async def atr(connection: Connection, known: Known, symbol: str) -> Answer:
    """ATR(14) as `atr:daily` has it; null where the symbol has none on that session."""
    stands = known.as_of(data_sets.ATR)
    if stands is None:
        return missing("no session has ATR yet: it comes with the first night; GET /status says when")
    row = await symbol_reads.atr_of(connection, symbol, stands.day)
    document = {
        "symbol": symbol,
        "atr": None if row is None else row.atr,
        "atr_percent": None if row is None else row.atr_percent,
        "updated": stands.day,
        "bars": None if row is None else row.bars_used,
    }
    return Answer(body=msgspec.json.encode(document), stands=stands)


async def _window(
    connection: Connection, known: Known, symbol: str, caches: tuple[str, ...], days: int
) -> _Window | None:
    """What is stored of the last *days* sessions as of which the cache stands; before the first night, of the bars'."""
    stands = known.as_of(caches[_partition(symbol)], data_sets.DAILY_BARS)
    if stands is None:
        return None
    sessions = known.calendar.last_trading_days(days, up_to=stands.day)
    cut = known.cuts.get(symbol)
    own = [day for day in sessions if cut is None or day >= cut]
    return _Window(
        stands=stands,
        sessions=sessions,
        observed_until=[first_unobserved_slot(known.calendar.session(day)) for day in sessions],
        rows=await symbol_reads.slots_of(connection, symbol, own),
        splits=known.splits_of(symbol, after=sessions[0], up_to=stands.day),
    )


def _averages(symbol: str, window: _Window) -> list[int | None]:
    """By slot; null where no session observed it, or where volumes or splits cannot be right."""
    rows = [(row.trading_date, symbol, row.outcome) for row in window.rows]
    volumes = np.array([row.volumes for row in window.rows if row.volumes is not None], dtype=np.float64)
    splits = {symbol: window.splits} if window.splits else {}
    try:
        found = rvol_averages(window.sessions, window.observed_until, rows, volumes, splits=splits)
    except ContradictorySplits:
        found = {symbol: []}
    flat = found.get(symbol)
    if flat == []:
        return [None] * SLOTS_PER_DAY
    means = dict(zip((flat or [])[::2], (flat or [])[1::2], strict=True))
    until = max(window.proven.values(), default=0)
    return [int(means.get(str(slot), "0")) if slot < until else None for slot in range(SLOTS_PER_DAY)]


def _trades(symbol: str, window: _Window) -> dict[str, str]:
    counted = [row for row in window.rows if row.trades is not None]
    others = [row for row in window.rows if row.trades is None]
    counts = [[UNKNOWN_TRADES if one is None else one for one in row.trades or ()] for row in counted]
    stored = StoredTrades(
        keys=[(row.trading_date, symbol, row.outcome) for row in (*counted, *others)],
        trades=np.array(counts, dtype=np.int64).reshape(len(counted), SLOTS_PER_DAY),
    )
    flat = trades_baselines(window.sessions, window.observed_until, stored).get(symbol, [])
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _partition(symbol: str) -> int:
    """In which part of the cache a symbol stands (slot_history.read_arrays)."""
    return hashlib.sha256(symbol.encode()).digest()[0] % data_sets.RVOL_PARTITIONS
