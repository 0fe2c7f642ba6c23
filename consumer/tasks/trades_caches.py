"""Reads what the caches of trades hold: per symbol what is usual of a day's number of trades, and of each slot's.

A session counts as it does for RVOL: not where its row is missing or unproven, and after an early close not with its
afternoon. Besides, a slot of which nobody said the number of trades is not observed, nor is a day with such a slot.
Which sessions are known must not hang on whether anybody traded: beside one that traded and has no counts, quiet ones
do not count either.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import boundaries, slot_trades
from consumer.tasks.redis_sync import Prepared
from contract import data_sets, keys
from market.trades import FEWEST_SESSIONS, Baseline, baseline
from market.volume_slots import SLOTS_PER_DAY, UNKNOWN_TRADES, first_unobserved_slot

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from consumer.postgres.slot_trades import StoredTrades
    from consumer.tasks.part import PartContext

_SLOT_NAMES = [str(slot) for slot in range(SLOTS_PER_DAY)]


async def baselines(ctx: PartContext, partition: int) -> Prepared:
    """A hash a symbol of one partition: avg, std and days of a day's trades, and the same of each slot's as JSON."""
    sessions = ctx.sessions(ctx.services.options.rvol_sessions)
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await slot_trades.read_trades(
            connection, sessions, partition=partition, partitions=data_sets.RVOL_PARTITIONS
        )
        cuts = await boundaries.cuts(connection, up_to=ctx.day)
    own, trades = boundaries.from_on(cuts, rows.keys, rows.trades)
    since = slot_trades.StoredTrades(keys=own, trades=trades)
    observed_until = [first_unobserved_slot(ctx.services.calendar.session(day)) for day in sessions]
    found = await asyncio.to_thread(trades_baselines, sessions, observed_until, since)
    return Prepared(replace=lambda writer: writer.replace_hashes(keys.TRADES_BASELINE.pattern, found))


def trades_baselines(
    sessions: tuple[dt.date, ...], observed_until: list[int], rows: StoredTrades
) -> dict[str, list[str]]:
    """Return per symbol name, value, name, value, …: avg, std and days of a day, then each slot's as JSON.

    A slot in which nobody traded in any of the sessions is left out; one that fewer than FEWEST_SESSIONS sessions
    observed says its days alone. Nothing for a symbol of which no session that traded has counts, or no slot so many.
    """
    symbols = sorted({symbol for _, symbol, _ in rows.keys})
    trades, observed = _laid_out(sessions, observed_until, rows, {symbol: at for at, symbol in enumerate(symbols)})
    by_slot = baseline(trades, observed)
    by_day = baseline(trades.sum(axis=2)[:, :, None], np.all(observed, axis=2)[:, :, None])
    found = {}
    counted = {symbol for _, symbol, _ in rows.keys[: len(rows.trades)]}
    for at, symbol in enumerate(symbols):
        if symbol in counted and by_slot.days[at].max(initial=0) >= FEWEST_SESSIONS:
            found[symbol] = [*_of_day(by_day, at), *_of_slots(by_slot, at)]
    return found


def _of_day(by_day: Baseline, at: int) -> Iterator[str]:
    if by_day.days[at, 0] >= FEWEST_SESSIONS:
        yield from ("avg", f"{by_day.mean[at, 0]:.2f}", "std", f"{by_day.deviation[at, 0]:.2f}")
        yield from ("days", str(by_day.days[at, 0]))


def _of_slots(by_slot: Baseline, at: int) -> Iterator[str]:
    enough = by_slot.days[at] >= FEWEST_SESSIONS
    said = np.flatnonzero(~enough | (by_slot.mean[at] > 0))
    means, deviations = (np.round(values[at, said], 2).tolist() for values in (by_slot.mean, by_slot.deviation))
    texts = zip(said.tolist(), enough[said].tolist(), by_slot.days[at, said].tolist(), means, deviations, strict=True)
    # The JSON by hand: a night says two million, each of numbers below 1e10, whose repr is their JSON.
    for slot, known, days, mean, deviation in texts:
        figures = f'"avg":{mean},"std":{deviation},' if known else ""
        yield _SLOT_NAMES[slot]
        yield f'{{{figures}"days":{days}}}'


def _laid_out(
    sessions: tuple[dt.date, ...], observed_until: list[int], rows: StoredTrades, column: dict[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Trades, and what was observed of them, by session, symbol and slot."""
    line = {day: number for number, day in enumerate(sessions)}
    trades = np.zeros((len(sessions), len(column), SLOTS_PER_DAY))
    observed = np.zeros(trades.shape, dtype=bool)
    unsaid = {symbol for _, symbol, outcome in rows.keys[len(rows.trades) :] if outcome == "traded"}
    for number, (day, symbol, outcome) in enumerate(rows.keys):
        place, until = (line[day], column[symbol]), observed_until[line[day]]
        if number < len(rows.trades):
            trades[place] = np.maximum(rows.trades[number], 0)
            observed[place] = rows.trades[number] != UNKNOWN_TRADES
        elif outcome == "no_trades" and symbol not in unsaid:
            observed[place] = True
        observed[place][until:] = False
    return trades, observed
