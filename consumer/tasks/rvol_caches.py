"""Reads what the caches of RVOL hold: per symbol and slot the mean accumulated volume of the sessions before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import boundaries, slot_history
from consumer.postgres import splits as splits_table
from consumer.tasks.redis_sync import Prepared
from contract import data_sets, keys
from market.bounded_fields import DAY_VOLUME
from market.rvol import mean_accumulated_volume
from market.splits import price_factors
from market.volume_slots import SLOTS_PER_DAY, first_unobserved_slot

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from consumer.tasks.part import PartContext
    from market.splits import Split

_SLOT_NAMES = [str(slot) for slot in range(SLOTS_PER_DAY)]
# Volumes are whole numbers: a mean that float arithmetic left this little below the next whole number is that number.
_ROUNDING = 1e-6


async def averages(ctx: PartContext, partition: int) -> Prepared:
    """A hash a symbol of one partition: slot to mean accumulated volume."""
    sessions = ctx.sessions(ctx.services.options.rvol_sessions)
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows, traded = await slot_history.read_slots(
            connection, sessions, partition=partition, partitions=data_sets.RVOL_PARTITIONS
        )
        splits = await splits_table.read_splits(connection, after=sessions[0], up_to=ctx.day)
        cuts = await boundaries.cuts(connection, up_to=ctx.day)
    rows, traded = boundaries.from_on(cuts, rows, traded)
    observed_until = [first_unobserved_slot(ctx.services.calendar.session(day)) for day in sessions]
    found = await asyncio.to_thread(rvol_averages, sessions, observed_until, rows, traded, splits=splits)
    left_out = tuple(symbol for symbol, flat in found.items() if not flat)
    said = {symbol: flat for symbol, flat in found.items() if flat}
    return Prepared(replace=lambda writer: writer.replace_hashes(keys.RVOL_AVERAGES.pattern, said), left_out=left_out)


async def observed_sessions(ctx: PartContext) -> Prepared:
    """Of how many observed sessions each symbol's averages are."""
    sessions = ctx.sessions(ctx.services.options.rvol_sessions)
    cuts = await boundaries.cuts(ctx.services.pool, up_to=ctx.day)
    counts = await slot_history.observed_sessions(ctx.services.pool, sessions, first=cuts)
    flat = [text for symbol, count in counts.items() for text in (symbol, str(count))]
    return Prepared(replace=lambda writer: writer.replace_hash(keys.RVOL_SESSIONS.pattern, flat))


def rvol_averages(
    sessions: tuple[dt.date, ...],
    observed_until: list[int],
    rows: list[tuple[dt.date, str, str]],
    traded: NDArray[np.float64],
    *,
    splits: dict[str, list[Split]],
) -> dict[str, list[str]]:
    """Return per symbol slot, mean, slot, mean, …: the mean accumulated volume as whole numbers, zeros included.

    To a reader a slot without a field is a miss, upon which neighbours write the hash anew by a formula of their own:
    so a slot is absent only where no session observed it, and a symbol only where that is so of all its slots. An
    empty list for a symbol whose volumes, on the basis of its splits, are beyond any day's.
    *rows* name (session, symbol, outcome), the traded ones first, as *traded* float64[traded rows, 192] has them.
    Not observed, so left out of the mean: sessions without a row or a proven outcome (those before the symbol's company
    had it have none here), and the slots after an early close. Volumes are on the split basis of the last session.
    """
    symbols = sorted({symbol for _, symbol, _ in rows})
    column = {symbol: number for number, symbol in enumerate(symbols)}
    volumes, observed = _laid_out(sessions, observed_until, rows, traded, column)
    for symbol in splits.keys() & column.keys():
        factors = price_factors(np.array(sessions, dtype="datetime64[D]"), splits[symbol], as_of=sessions[-1])
        volumes[:, column[symbol]] /= factors[:, None]
    return _said(symbols, mean_accumulated_volume(volumes, observed))


def _said(symbols: list[str], means: NDArray[np.float64]) -> dict[str, list[str]]:
    """The texts of each symbol's *means*; those that are none were observed by no session."""
    known = ~np.isnan(means)
    means[~known] = 0.0
    beyond = means.max(axis=1, initial=0.0) > DAY_VOLUME.most
    whole = np.floor(np.where(beyond[:, None], 0.0, means) + _ROUNDING).astype(np.int64)
    found: dict[str, list[str]] = {symbols[place]: [] for place in np.flatnonzero(beyond).tolist()}
    for symbol, values, there in zip(symbols, whole.tolist(), known, strict=True):
        if symbol not in found and there.any():
            found[symbol] = [text for slot in np.flatnonzero(there) for text in (_SLOT_NAMES[slot], str(values[slot]))]
    return found


def _laid_out(
    sessions: tuple[dt.date, ...],
    observed_until: list[int],
    rows: list[tuple[dt.date, str, str]],
    traded: NDArray[np.float64],
    column: dict[str, int],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Volumes, and what was observed, by session, symbol and slot."""
    line = {day: number for number, day in enumerate(sessions)}
    volumes = np.zeros((len(sessions), len(column), SLOTS_PER_DAY))
    observed = np.zeros((len(sessions), len(column), SLOTS_PER_DAY), dtype=bool)
    for number, (day, symbol, outcome) in enumerate(rows):
        if outcome == "traded":
            volumes[line[day], column[symbol]] = traded[number]
        if outcome != "unproven":
            observed[line[day], column[symbol], : observed_until[line[day]]] = True
    return volumes, observed
