"""Says what is usual of the number of trades: mean and deviation over the sessions that observed it.  Pure.

Sessions that did not observe a place (a slot, or a whole day) are left out of it, and no zero stands in for them.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

#: Of fewer sessions a deviation says nothing: its reader takes whatever comes for unusual.
FEWEST_SESSIONS: Final = 3


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """By symbol and place: over how many sessions (`days`), their `mean` number of trades and its `deviation`.

    The deviation is the sample's (n - 1), as PostgreSQL's stddev. Mean and deviation are NaN where one session, or two,
    would be needed.
    """

    days: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]


def baseline(trades: npt.NDArray[np.float64], observed: npt.NDArray[np.bool_]) -> Baseline:
    """Of *trades* [sessions, symbols, places], where they were *observed* (of the same shape).

    ValueError for shapes that do not fit.
    """
    if trades.ndim != 3 or trades.shape != observed.shape:
        raise ValueError(f"what is observed of {trades.shape} trades has their shape, not {observed.shape}")
    days = observed.sum(axis=0, dtype=np.int64)
    mean = _divided(np.where(observed, trades, 0.0).sum(axis=0), days)
    # From the mean, and not by sums of squares: these lose what is small beside a great mean.
    squares = (np.where(observed, trades - mean, 0.0) ** 2).sum(axis=0)
    return Baseline(days=days, mean=mean, deviation=np.sqrt(_divided(squares, days - 1)))


def _divided(sums: npt.NDArray[np.float64], by: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    quotient = np.full(sums.shape, np.nan)
    np.divide(sums, by, out=quotient, where=by > 0)
    return quotient
