"""Holds the daily bars of one session as arrays, and lays several sessions side by side.

A figure that is not there is NaN: a symbol without a bar in one of the sessions.  Prices and volumes are raw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
FIGURES = 5


class SessionBars(msgspec.Struct, frozen=True, kw_only=True):
    """One session's bars: row i of `figures` [symbols, FIGURES] is the bar of `symbols[i]`, each symbol once.

    `averages` are volume-weighted average prices, NaN where there is none.
    """

    symbols: tuple[str, ...]
    figures: Floats
    averages: Floats | None = None

    def __len__(self) -> int:
        return len(self.symbols)

    def only(self, wanted: Sequence[str]) -> SessionBars:
        """The bars of those of *wanted* that have one."""
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        kept = [symbol for symbol in wanted if symbol in places]
        rows = [places[symbol] for symbol in kept]
        averages = None if self.averages is None else self.averages[rows]
        return SessionBars(symbols=tuple(kept), figures=self.figures[rows], averages=averages)

    def without(self, unwanted: Collection[str]) -> SessionBars:
        """The bars of all but *unwanted*."""
        return self.only([symbol for symbol in self.symbols if symbol not in unwanted]) if unwanted else self


def session_bars(rows: Mapping[str, Sequence[float]]) -> SessionBars:
    """Make bars of (open, high, low, close, volume) by symbol."""
    ordered = sorted(rows)
    figures = np.array([rows[symbol] for symbol in ordered], dtype=np.float64).reshape(len(ordered), FIGURES)
    return SessionBars(symbols=tuple(ordered), figures=figures)


def with_averages(bars: SessionBars, averages: Mapping[str, float | None]) -> SessionBars:
    """*bars* with the volume-weighted average price of each symbol that has one."""
    known = [averages.get(symbol) for symbol in bars.symbols]
    return SessionBars(symbols=bars.symbols, figures=bars.figures, averages=np.array(known, dtype=np.float64))


def side_by_side(sessions: Sequence[SessionBars]) -> tuple[list[str], Floats]:
    """Return all symbols in byte order, and float64[sessions, symbols, FIGURES] with NaN where a symbol has no bar."""
    symbols = sorted({symbol for session in sessions for symbol in session.symbols})
    places = {symbol: place for place, symbol in enumerate(symbols)}
    table = np.full((len(sessions), len(symbols), FIGURES), np.nan)
    for number, session in enumerate(sessions):
        rows = np.fromiter((places[symbol] for symbol in session.symbols), np.int64, len(session))
        table[number, rows] = session.figures
    return symbols, table
