"""Computes what metadata derives from bars: market cap, average volumes and prices, last close.

Market cap = shares outstanding x latest close, both on the split basis of the cycle's day: a share count is scaled by
the splits between the day it was taken and that day, whichever came first. Average volume = split-adjusted volume of
the last N sessions / N, sessions without a trade counted as zero once the symbol has a bar in the window; a session
whose bars are not stored, or that symbol's row was set aside, is none of the N: of how many it is, is said beside it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from consumer.postgres import bars, boundaries, coverage, derived, holes, ledger
from consumer.postgres import splits as splits_table
from consumer.postgres.derived import DerivedFigures
from consumer.tasks.part import require_coverage
from contract import data_sets
from market.bounded_fields import ADJUSTED_PRICE, MARKET_CAP, MEAN_VOLUME
from market.bounds import check_of, is_within
from market.splits import price_factors
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.bars import BarHistory
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write
    from market.splits import Split

AVERAGES = (30, 10, 5)
_BY_BARS = {
    **dict.fromkeys(("last_close", "avg_price_30d"), check_of(ADJUSTED_PRICE)),
    **dict.fromkeys(("avg_volume_30d", "avg_volume_10d", "avg_volume_5d"), check_of(MEAN_VOLUME)),
}


class ShareCount(msgspec.Struct, frozen=True, kw_only=True):
    """Shares outstanding as they were counted on a New York day."""

    shares: float
    counted_on: dt.date


async def compute_derived(ctx: PartContext) -> Write:
    """Derive the figures of every symbol with a bar in the last 30 sessions."""
    await require_coverage(ctx, data_sets.DAILY_BARS)
    computed_at = ctx.services.now()
    sessions = ctx.sessions(max(AVERAGES))
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        cuts = await boundaries.cuts(connection, up_to=ctx.day)
        history = (await bars.read_history(connection, since=sessions[0], up_to=ctx.day)).from_on(cuts)
        counts = await _share_counts(connection, history.symbols)
        counted_on = [count.counted_on for count in counts.values()]
        splits = await splits_table.read_splits(
            connection, after=min([sessions[0], *counted_on]), up_to=max([ctx.day, *counted_on])
        )
        lacking = await holes.of_symbols(connection, since=sessions[0], up_to=ctx.day)
    computed = await asyncio.to_thread(derive, history, splits, counts, sessions, lacking)
    figures = [one for figure in computed if (one := possible(figure)) is not None]

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=computed_at, rows=len(figures))
        await derived.store_derived(connection, figures, day=ctx.day, now=computed_at)
        await coverage.record_coverage(connection, data_sets.DERIVED, ctx.day, loaded)
        impossible = len(computed) - len(figures)
        told = (f"derived: {impossible} symbols have figures that cannot be, theirs stay as they were",)
        return ledger.PartReport(rows=len(figures), warnings=told if impossible else ())

    return write


def possible(figures: DerivedFigures) -> DerivedFigures | None:
    """The figures without a market cap that cannot be; None where the prices or volumes cannot be either.

    Shares that can be times a price that can be may be more than there is; so may volumes times an absurd split.
    """
    if not all(check(getattr(figures, name), dt.date.max) for name, check in _BY_BARS.items()):
        return None
    cap = figures.market_cap
    if cap is not None and not is_within(MARKET_CAP, cap, dt.date.max):
        return msgspec.structs.replace(figures, market_cap=None)
    return figures


async def _share_counts(connection: Connection, symbols: Sequence[str]) -> dict[str, ShareCount]:
    rows = await connection.fetch(
        "SELECT symbol, shares_outstanding, details_fetched_at FROM ticker_profile WHERE symbol = ANY ($1::text[]) "
        "AND shares_outstanding IS NOT NULL AND details_fetched_at IS NOT NULL",
        list(symbols),
    )
    return {
        row["symbol"]: ShareCount(
            shares=row["shares_outstanding"], counted_on=row["details_fetched_at"].astimezone(NEW_YORK).date()
        )
        for row in rows
    }


def derive(
    history: BarHistory,
    splits: dict[str, list[Split]],
    counts: dict[str, ShareCount],
    sessions: Sequence[dt.date],
    lacking: Mapping[str, Sequence[dt.date]] | None = None,
) -> list[DerivedFigures]:
    """Return the figures as of the last of *sessions*; *history* holds only bars of those sessions.

    *lacking* names by symbol the sessions in which its row was set aside: nothing is known of its volume there.
    """
    if not history.symbols:
        return []
    factors = split_factors(history, splits, sessions[-1])
    window = np.array(sessions, dtype="datetime64[D]")
    bars_of = _Window(
        place=np.searchsorted(window, history.days),
        starts=history.offsets[:-1],
        stored=np.isin(window, history.days),
        unknown=_unknown(history.symbols, window, lacking or {}),
    )
    averages = [_average(history.volume / factors, bars_of, last) for last in AVERAGES]
    price = np.add.reduceat(history.close * factors, bars_of.starts) / np.diff(history.offsets)
    last_close = (history.close * factors)[history.offsets[1:] - 1]
    figures = []
    for number, symbol in enumerate(history.symbols):
        shares = shares_on(sessions[-1], counts.get(symbol), splits.get(symbol, []))
        means = [(float(mean[number]), int(count[number])) for mean, count in averages]
        figures.append(_figures(symbol, shares, float(last_close[number]), float(price[number]), means))
    return figures


def _figures(
    symbol: str, shares: float | None, last_close: float, price: float, means: list[tuple[float, int]]
) -> DerivedFigures:
    (of_30, sessions_30), (of_10, sessions_10), (of_5, sessions_5) = means
    return DerivedFigures(
        symbol=symbol,
        market_cap=None if shares is None else shares * last_close,
        last_close=last_close,
        avg_volume_30d=of_30,
        avg_volume_10d=of_10,
        avg_volume_5d=of_5,
        avg_price_30d=price,
        avg_volume_sessions=sessions_30,
        avg_volume_sessions_10d=sessions_10,
        avg_volume_sessions_5d=sessions_5,
    )


def split_factors(history: BarHistory, listed: Mapping[str, Sequence[Split]], day: dt.date) -> NDArray[np.float64]:
    """Return the price factor of every bar of *history*, as of *day*."""
    factors = np.ones(len(history.days))
    for number, symbol in enumerate(history.symbols):
        if symbol in listed:
            own = slice(history.offsets[number], history.offsets[number + 1])
            factors[own] = price_factors(history.days[own], listed[symbol], as_of=day)
    return factors


class _Window(NamedTuple):
    """Where the bars of a history stand: each symbol's from *starts* on, each bar in the session at its *place*.

    *stored* says which sessions have bars, *unknown* has by symbol number those it lacks.
    """

    place: NDArray[np.int64]
    starts: NDArray[np.int64]
    stored: NDArray[np.bool_]
    unknown: dict[int, NDArray[np.int64]]


def _average(volume: NDArray[np.float64], window: _Window, last: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean volume of each symbol over the *last* sessions, and of how many sessions it is."""
    place, starts, stored, unknown = window
    recent = np.arange(len(stored)) >= len(stored) - last
    # Sessions from each place to the end of the window: what a symbol first seen there has been listed for.
    counted = np.cumsum((stored & recent)[::-1], dtype=np.int64)[::-1]
    totals = np.add.reduceat(np.where(recent[place], volume, 0.0), starts)
    sessions = counted[place[starts]]
    for number, places in unknown.items():
        sessions[number] -= np.count_nonzero((places >= place[starts[number]]) & stored[places] & recent[places])
    return np.divide(totals, sessions, out=np.zeros_like(totals), where=sessions > 0), sessions


def _unknown(
    symbols: Sequence[str], window: NDArray[np.datetime64], lacking: Mapping[str, Sequence[dt.date]]
) -> dict[int, NDArray[np.int64]]:
    return {
        number: np.searchsorted(window, np.array(lacking[symbol], dtype="datetime64[D]"))
        for number, symbol in enumerate(symbols)
        if symbol in lacking
    }


def shares_on(day: dt.date, count: ShareCount | None, splits: Sequence[Split]) -> float | None:
    """Return the shares outstanding on *day*: the count, scaled by the splits between the two days."""
    if count is None:
        return None
    shares = count.shares
    for split in splits:
        if count.counted_on < split.execution_day <= day:
            shares *= split.split_to / split.split_from
        elif day < split.execution_day <= count.counted_on:
            shares *= split.split_from / split.split_to
    return shares
