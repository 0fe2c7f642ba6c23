"""Averages the volumes of the newest sessions for each symbol, and says of how many sessions each average is.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.bars import BarHistory

THREE_MONTHS = 63  # sessions


class BarsIn(NamedTuple):
    """Where the bars of a history stand: each symbol's from *starts* on, each bar in the session at its *place*.

    *stored* says which sessions have bars, *unknown* has by symbol number those it lacks.
    """

    place: NDArray[np.int64]
    starts: NDArray[np.int64]
    stored: NDArray[np.bool_]
    unknown: dict[int, NDArray[np.int64]]


def bars_in(history: BarHistory, sessions: Sequence[dt.date], lacking: Mapping[str, Sequence[dt.date]]) -> BarsIn:
    """Place the bars of *history*, all of *sessions*; *lacking* as `derive` has it, also of sessions before."""
    window = np.array(sessions, dtype="datetime64[D]")
    return BarsIn(
        place=np.searchsorted(window, history.days),
        starts=history.offsets[:-1],
        stored=np.isin(window, history.days),
        unknown={
            number: np.searchsorted(window, np.array(own, dtype="datetime64[D]"))
            for number, symbol in enumerate(history.symbols)
            if (own := [day for day in lacking.get(symbol, ()) if day >= sessions[0]])
        },
    )


def average(volume: NDArray[np.float64], bars: BarsIn, last: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean volume of each symbol over the *last* sessions, and of how many sessions it is."""
    place, starts, stored, unknown = bars
    recent = np.arange(len(stored)) >= len(stored) - last
    # Sessions from each place to the end of the window: what a symbol first seen there has been listed for.
    counted = np.cumsum((stored & recent)[::-1], dtype=np.int64)[::-1]
    totals = np.add.reduceat(np.where(recent[place], volume, 0.0), starts)
    sessions = counted[place[starts]]
    for number, places in unknown.items():
        sessions[number] -= np.count_nonzero((places >= place[starts[number]]) & stored[places] & recent[places])
    return np.divide(totals, sessions, out=np.zeros_like(totals), where=sessions > 0), sessions


def three_months(
    history: BarHistory,
    factors: NDArray[np.float64],
    sessions: Sequence[dt.date],
    lacking: Mapping[str, Sequence[dt.date]],
) -> dict[str, tuple[float, int]]:
    """Return by symbol its mean volume over the last 63 sessions, and of how many it is: fewer since a listing.

    Nothing where a session of those is not stored; nothing for a symbol whose row was set aside in one since its first
    bar. *factors* are the price factors of the bars.
    """
    if len(sessions) < THREE_MONTHS:
        return {}
    bars = bars_in(history, sessions, lacking)
    if not bars.stored.all():
        return {}
    means, counts = average(history.volume / factors, bars, THREE_MONTHS)
    return {
        symbol: (float(means[number]), int(counts[number]))
        for number, symbol in enumerate(history.symbols)
        if number not in bars.unknown or bool((bars.unknown[number] < bars.place[bars.starts[number]]).all())
    }
