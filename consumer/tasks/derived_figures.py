"""Computes what metadata derives from bars: market cap, average volumes and prices, last close.

Market cap = shares outstanding x latest close, both on the split basis of the cycle's day: a share count is scaled by
the splits between the day it was taken and that day, whichever came first. Average volume = split-adjusted volume of
the last N sessions / N, sessions without a trade counted as zero once the symbol has a bar in the window; a session
whose bars are not stored, or that symbol's row was set aside, is none of the N: of how many it is, is said beside it.
The average of three months is of 63 sessions by the same rule, and of none where one of them is not stored or was set
aside: over that time a hole is no exception that a reader would look for.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import bars, boundaries, coverage, derived, holes, ledger
from consumer.postgres import splits as splits_table
from consumer.postgres.derived import DerivedFigures
from consumer.tasks.average_volumes import THREE_MONTHS, average, bars_in, three_months
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
    sessions = ctx.sessions(THREE_MONTHS)
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
    if figures.avg_volume_3m is not None and not is_within(MEAN_VOLUME, figures.avg_volume_3m, dt.date.max):
        figures = msgspec.structs.replace(figures, avg_volume_3m=None, avg_volume_sessions_3m=None)
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
    """Return the figures as of the last of *sessions*, of symbols with a bar in the last 30 of them.

    *history* holds only bars of *sessions*; with fewer than 63 of them no average of three months is known.
    *lacking* names by symbol the sessions in which its row was set aside: nothing is known of its volume there.
    """
    if not history.symbols:
        return []
    recent = sessions[-max(AVERAGES) :]
    of_three_months = three_months(history, split_factors(history, splits, sessions[-1]), sessions, lacking or {})
    history = history.from_on(dict.fromkeys(history.symbols, recent[0]))
    factors = split_factors(history, splits, sessions[-1])
    bars_of = bars_in(history, recent, lacking or {})
    averages = [average(history.volume / factors, bars_of, last) for last in AVERAGES]
    price = np.add.reduceat(history.close * factors, bars_of.starts) / np.diff(history.offsets)
    last_close = (history.close * factors)[history.offsets[1:] - 1]
    figures = []
    for number, symbol in enumerate(history.symbols):
        shares = shares_on(sessions[-1], counts.get(symbol), splits.get(symbol, []))
        means = [(float(mean[number]), int(count[number])) for mean, count in averages]
        figures.append(_figures(symbol, shares, float(last_close[number]), float(price[number]), means))
    return [_with_three_months(one, of_three_months.get(one.symbol)) for one in figures]


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


def _with_three_months(figures: DerivedFigures, found: tuple[float, int] | None) -> DerivedFigures:
    if found is None:
        return figures
    return msgspec.structs.replace(figures, avg_volume_3m=found[0], avg_volume_sessions_3m=found[1])


def split_factors(history: BarHistory, listed: Mapping[str, Sequence[Split]], day: dt.date) -> NDArray[np.float64]:
    """Return the price factor of every bar of *history*, as of *day*."""
    factors = np.ones(len(history.days))
    for number, symbol in enumerate(history.symbols):
        if symbol in listed:
            own = slice(history.offsets[number], history.offsets[number + 1])
            factors[own] = price_factors(history.days[own], listed[symbol], as_of=day)
    return factors


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
