"""Makes the answer on one symbol: its series, what Redis says of it beside what the tables say, and why.

The texts that the caches should hold are made by the functions that write the caches.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from consumer.postgres import boundaries, coverage, run_figures, symbol_view
from consumer.postgres import splits as splits_table
from consumer.postgres.run_figures import Origin
from consumer.postgres.symbol_view import Bar, LoadLine, Mark
from consumer.tasks.cache_rows import atr_text, average_volumes_text, texts_of
from consumer.tasks.rvol_caches import rvol_averages
from consumer.tasks.terms import TaskOptions
from contract import data_sets as sets
from contract import keys
from market.splits import ContradictorySplits, price_factors
from market.volume_slots import SLOTS_PER_DAY, first_unobserved_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.asyncio import Redis

    from consumer.postgres.pool import Connection
    from consumer.postgres.symbol_view import SlotRow
    from consumer.web.monitor import Monitor
    from market.splits import Split

BARS_SHOWN = 126  # sessions: half a year


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis holds under *key*, and what the tables would have it hold; *equal* is None where neither has it."""

    key: str
    cached: str | None
    stored: str | None
    equal: bool | None
    as_of: dt.date | None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A session that an average is made of: its raw accumulated volume by slot, and the load that brought it."""

    trading_day: dt.date
    outcome: str
    accumulated: list[float]
    load: LoadLine | None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Accumulated volume by slot of five minutes from 04:00 New York: of the newest stored session, and on average.

    *average* is what Redis has, *stored_average* what the tables give; both of the *sessions* up to *as_of*, each of
    which stands in *made_of*.
    """

    day: dt.date | None
    outcome: str | None
    today: list[float]
    average: list[float | None]
    stored_average: list[float | None]
    sessions: tuple[dt.date, ...]
    as_of: dt.date | None
    equal: bool | None
    made_of: tuple[Made, ...] = ()


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value comes from: its row's load, and the cycle that brought it; None where those records are gone."""

    what: str
    load: LoadLine | None
    origin: Origin | None


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. *listing* is None where no listing has ever shown it."""

    symbol: str
    names: list[str]
    listing: dict[str, Any] | None
    bars: list[Bar]
    marks: list[Mark]
    cut_on: dt.date | None
    compared: list[Compared]
    profile: Profile
    why: list[Why]


async def read_symbol(monitor: Monitor, symbol: str) -> Symbol | None:
    """Read it at one instant; None where nothing is known of it."""
    newest = monitor.calendar.last_completed(monitor.now())
    days = monitor.calendar.last_trading_days(BARS_SHOWN, up_to=newest)
    async with monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        names = await symbol_view.names_of(connection, symbol)
        listing = await symbol_view.listed(connection, symbol)
        bars = await symbol_view.bars_of(connection, symbol, names, since=days[0], up_to=newest)
        if listing is None and not bars:
            return None
        splits = (await splits_table.read_splits(connection, after=days[0], up_to=newest)).get(symbol, [])
        compared, atr_load = await _compared(connection, monitor.redis, symbol)
        profile, slots_load = await _profile(connection, monitor, symbol, names)
        loads = {
            f"bar of {bars[-1].trading_day}" if bars else "bar": bars[-1].load_id if bars else None,
            "ATR": atr_load,
            f"slots of {profile.day}": slots_load,
        }
        return Symbol(
            symbol=symbol,
            names=names,
            listing=listing,
            bars=_on_todays_basis(bars, splits, newest),
            marks=await symbol_view.marks_of(connection, symbol, names, since=days[0]),
            cut_on=(await boundaries.cuts(connection, up_to=newest)).get(symbol),
            compared=compared,
            profile=profile,
            why=await _why(connection, loads),
        )


def _on_todays_basis(bars: Sequence[Bar], splits: Sequence[Split], newest: dt.date) -> list[Bar]:
    days = np.array([bar.trading_day for bar in bars], dtype="datetime64[D]")
    try:
        factors = price_factors(days, splits, as_of=newest).tolist()
    except ContradictorySplits:
        factors = [1.0] * len(bars)  # its figures are not made either; the marks show both ratios
    return [msgspec.structs.replace(bar, factor=factor) for bar, factor in zip(bars, factors, strict=True)]


async def _compared(connection: Connection, redis: Redis, symbol: str) -> tuple[list[Compared], int | None]:
    """ATR and the average volumes, and the load of ATR."""
    day = await coverage.newest_day(connection, sets.CACHE_ATR)
    atr = None if day is None else await symbol_view.atr_row(connection, symbol, day)
    averages = await symbol_view.averages_row(connection, symbol)
    volumes_key = keys.AVERAGE_VOLUMES.pattern.format(symbol=symbol)
    async with redis.pipeline(transaction=True) as looks:
        looks.hget(keys.ATR_DAILY.pattern, symbol)
        looks.get(volumes_key)
        cached_atr, cached_volumes = await looks.execute()
    stored_atr = _text(atr, lambda row: atr_text(row, day or dt.date.min))
    stored_volumes = _text(averages, average_volumes_text)
    found = [
        _both(f"{keys.ATR_DAILY.pattern} {symbol}", cached_atr, stored_atr, as_of=day),
        _both(volumes_key, cached_volumes, stored_volumes, as_of=None if averages is None else averages["as_of"]),
    ]
    return found, None if atr is None else atr["load_id"]


def _text(row: Mapping[str, Any] | None, text_of: Callable[[Mapping[str, Any]], str]) -> str | None:
    return None if row is None else next(iter(texts_of([row], text_of).by_symbol.values()), None)


def _both(key: str, cached: str | None, stored: str | None, *, as_of: dt.date | None) -> Compared:
    equal = None if cached is None and stored is None else cached == stored
    return Compared(key=key, cached=cached, stored=stored, equal=equal, as_of=as_of)


async def _profile(
    connection: Connection, monitor: Monitor, symbol: str, names: Sequence[str]
) -> tuple[Profile, int | None]:
    as_of = await coverage.newest_day(connection, sets.CACHE_RVOL_SESSIONS)
    up_to = as_of or monitor.calendar.last_completed(monitor.now())
    sessions = monitor.calendar.last_trading_days(TaskOptions().rvol_sessions, up_to=up_to)
    newest = monitor.calendar.last_completed(monitor.now())
    rows = await symbol_view.slots_of(connection, symbol, names, sorted({*sessions, newest}))
    splits = await splits_table.read_splits(connection, after=sessions[0], up_to=up_to)
    cut = (await boundaries.cuts(connection, up_to=up_to)).get(symbol, dt.date.min)
    own = [row for row in rows if row.trading_day in sessions and row.trading_day >= cut]
    until = [first_unobserved_slot(monitor.calendar.session(day)) for day in sessions]
    stored = await asyncio.to_thread(_averaged, symbol, sessions, until, own, splits)
    key = keys.RVOL_AVERAGES.pattern.format(symbol=symbol)
    cached: Any = await monitor.redis.hgetall(key)
    last = rows[-1] if rows else None
    profile = Profile(
        day=None if last is None else last.trading_day,
        outcome=None if last is None else last.outcome,
        today=_accumulated(last),
        average=_by_slot(cached),
        stored_average=_by_slot(stored),
        sessions=tuple(row.trading_day for row in own),
        as_of=as_of,
        equal=None if not cached and not stored else dict(cached) == stored,
        made_of=await _made_of(connection, own),
    )
    return profile, None if last is None else last.load_id


async def _made_of(connection: Connection, rows: Sequence[SlotRow]) -> tuple[Made, ...]:
    wanted = sorted({row.load_id for row in rows if row.load_id is not None})
    loads = {line.load_id: line for line in await symbol_view.loads_of(connection, wanted)}
    return tuple(
        Made(
            trading_day=row.trading_day,
            outcome=row.outcome,
            accumulated=_accumulated(row),
            load=None if row.load_id is None else loads.get(row.load_id),
        )
        for row in rows
    )


def _averaged(
    symbol: str,
    sessions: tuple[dt.date, ...],
    until: list[int],
    rows: Sequence[SlotRow],
    splits: dict[str, list[Split]],
) -> dict[str, str]:
    """What the cache should hold of it: slot to mean accumulated volume."""
    ordered = sorted(rows, key=lambda row: (row.outcome != "traded", row.trading_day))
    traded = [[value or 0.0 for value in row.volumes or []] for row in ordered if row.outcome == "traded"]
    volumes = np.array(traded, dtype=np.float64).reshape(len(traded), SLOTS_PER_DAY)
    named = [(row.trading_day, symbol, row.outcome) for row in ordered]
    own = {symbol: splits[symbol]} if symbol in splits else {}
    flat = rvol_averages(sessions, until, named, volumes, splits=own).get(symbol, [])
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _by_slot(values: Mapping[str, str]) -> list[float | None]:
    """Slots that the cache leaves out have no volume before them."""
    return [float(values[str(slot)]) if str(slot) in values else None for slot in range(SLOTS_PER_DAY)]


def _accumulated(row: SlotRow | None) -> list[float]:
    if row is None or row.volumes is None:
        return []
    return [float(value) for value in np.cumsum([value or 0.0 for value in row.volumes])]


async def _why(connection: Connection, loads: Mapping[str, int | None]) -> list[Why]:
    known = {
        line.load_id: line
        for line in await symbol_view.loads_of(connection, [one for one in loads.values() if one is not None])
    }
    cycles = sorted({line.cycle_id for line in known.values() if line.cycle_id is not None})
    origins = await run_figures.origins_of(connection, cycles)
    found = []
    for what, load_id in loads.items():
        load = None if load_id is None else known.get(load_id)
        origin = None if load is None or load.cycle_id is None else origins.get(load.cycle_id)
        found.append(Why(what=what, load=load, origin=origin))
    return found
