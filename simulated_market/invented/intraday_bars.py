"""Makes the five-minute bars of one row over some days, inside the daily bars already known.

Every slot that may trade rolls its own die, so thin tickers have holes and busy ones none.  The daily high
and low are reached, the first bar opens and the last one closes the day, and the volumes stay below its sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulated_market.bar_columns import BarColumns, Integers
from simulated_market.invented import daily_prices, dice
from simulated_market.invented.session_shape import SLOT_MS, SLOTS, SessionShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from simulated_market.invented.dice import Floats, Words

_STEPS = dice.positions(SLOTS)
_IN_MINUTE_BARS = 0.97
"""The rest of a day's volume are trades that make no bar (odd lots, late reports)."""


def five_minute_bars(
    daily: Floats, traded: npt.NDArray[np.bool_], shapes: Sequence[SessionShape], trades_a_day: float, keys: Words
) -> BarColumns:
    """Bars of every session in order; `daily[s]`, `traded[s]`, `shapes[s]` and `keys[s]` describe session s."""
    words = dice.mix(keys[:, None] + _STEPS[None, :])
    hits = (words >> np.uint64(40)) * 2.0**-24 < _presence(shapes, trades_a_day)
    hits[~traded] = False
    _give_every_traded_day_a_bar(hits, traded, keys, shapes)
    sessions, slots = np.nonzero(hits)
    counts = np.bincount(sessions, minlength=len(shapes))
    words = words[sessions, slots]
    starts = np.array([shape.starts_ms for shape in shapes])[sessions] + slots * SLOT_MS
    volumes = _volumes(daily, shapes, sessions, slots, words)
    opens, closes, highs, lows = _prices(daily, sessions, slots, counts, words)
    size = daily[:, daily_prices.VOLUME] / daily[:, daily_prices.TRADES]
    trades = 1 + (volumes / size[sessions]).astype(np.int64)
    return BarColumns(
        starts_ms=starts,
        opens=opens,
        closes=closes,
        highs=highs,
        lows=lows,
        volumes=volumes,
        averages=np.rint((opens + closes + highs + lows) * 2_500.0) / 10_000.0,
        trades=trades,
        minutes=_minutes(trades, volumes, words),
    )


def _minutes(trades: Integers, volumes: Floats, words: Words) -> Integers:
    """How many minutes of the slot have a bar: all five when it is busy, never more than there are trades."""
    drawn = np.where(trades >= 20, 5, 1 + (words & np.uint64(3)).astype(np.int64))
    return np.minimum(drawn, np.minimum(trades, np.rint(volumes * 1e6).astype(np.int64)))


def _presence(shapes: Sequence[SessionShape], trades_a_day: float) -> Floats:
    kinds = {shape.early_close: -np.expm1(-trades_a_day * shape.trades) for shape in shapes}
    return np.array([kinds[shape.early_close] for shape in shapes])


def _give_every_traded_day_a_bar(
    hits: npt.NDArray[np.bool_], traded: npt.NDArray[np.bool_], keys: Words, shapes: Sequence[SessionShape]
) -> None:
    for session in np.flatnonzero(traded & ~hits.any(axis=1)).tolist():
        regular = shapes[session].regular_slots
        hits[session, regular[int(keys[session]) % len(regular)]] = True


def _volumes(
    daily: Floats, shapes: Sequence[SessionShape], sessions: Integers, slots: Integers, words: Words
) -> Floats:
    usual = np.array([shape.volumes for shape in shapes])[sessions, slots]
    draw = (words & np.uint64(0x3FFF)) * 2.0**-14
    amounts = usual * (0.3 + 2.0 * draw * draw)
    totals = np.bincount(sessions, weights=amounts, minlength=len(shapes))
    shares = daily[:, daily_prices.VOLUME] * _IN_MINUTE_BARS / np.where(totals > 0, totals, 1.0)
    volumes = amounts * shares[sessions]
    # One bar in four has whole shares; fractions are cut, so that the sum stays below the day's.
    whole = np.where((words & np.uint64(0xC000) == 0) & (volumes >= 1.0), 1.0, 1e6)
    cut: Floats = np.maximum(np.floor(volumes * whole), 1.0) / whole
    return cut


def _prices(
    daily: Floats, sessions: Integers, slots: Integers, counts: Integers, words: Words
) -> tuple[Floats, Floats, Floats, Floats]:
    of_day = daily.T.copy()
    day_open, day_close = of_day[daily_prices.OPEN][sessions], of_day[daily_prices.CLOSE][sessions]
    day_high, day_low = of_day[daily_prices.HIGH][sessions], of_day[daily_prices.LOW][sessions]
    ticks = of_day[daily_prices.TICKS][sessions]
    lasts = (np.cumsum(counts) - 1)[counts > 0]
    firsts = lasts - counts[counts > 0] + 1
    wobble = ((words >> np.uint64(16)) & np.uint64(0xFFF)) * 2.0**-12 - 0.5
    closes = day_open + (day_close - day_open) * (slots / SLOTS)
    closes += (day_high - day_low) * (0.35 * np.sin(slots * 0.09 + day_open) + 0.2 * wobble)
    closes = np.rint(np.clip(closes, day_low, day_high) * ticks) / ticks
    closes[lasts] = day_close[lasts]
    opens = np.empty_like(closes)
    opens[1:] = closes[:-1]
    opens[firsts] = day_open[firsts]
    reach = ((words >> np.uint64(28)) & np.uint64(0xFFF)) * (0.25 * 2.0**-12)
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    highs = np.rint((highs + (day_high - highs) * reach) * ticks) / ticks
    lows = np.rint((lows - (lows - day_low) * (0.25 - reach)) * ticks) / ticks
    # The day's extremes are reached, the high in the first half and the low in the second.
    peaks, troughs = (2 * firsts + lasts) // 3, (firsts + 2 * lasts) // 3
    highs[peaks] = day_high[peaks]
    lows[troughs] = day_low[troughs]
    return opens, closes, highs, lows
