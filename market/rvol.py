"""Compares a day's volume with the sessions before it, slot by slot (relative volume, RVOL).

Cumulative: sum of V(<= s) / mean of that sum over the earlier sessions, as TradingView's Relative Volume at Time has it
when anchored to the day. The day itself is never in its own mean.

A slot that was observed without a trade counts as zero, and a cumulative sum carries on over it. A slot
that was not observed (after an early close, or not loaded) is left out of the mean: zero would be a lie.
The last axis is the slot, 192 of them in this service, but any number here.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def mean_accumulated_volume(volumes: Floats, observed: Flags) -> Floats:
    """Mean over sessions of the volume since slot 0, [symbols, slots] in shares; NaN if none observed it.

    `volumes` [sessions, symbols, slots] in shares a slot; `observed` of that shape or one that broadcasts
    to it, such as [sessions, 1, slots]. A session's sum is unknown from its first unobserved slot on.
    ValueError for shapes that do not fit.
    """
    if volumes.ndim != 3:
        raise ValueError(f"volumes are [sessions, symbols, slots], not of shape {volumes.shape}")
    observed = np.broadcast_to(observed, volumes.shape)
    total = np.zeros(volumes.shape[1:])
    count = np.zeros(volumes.shape[1:], dtype=np.int64)
    # A session at a time: a whole market's cumulative sums at once would double the memory.
    for session_volumes, session_observed in zip(volumes, observed, strict=True):
        known = np.logical_and.accumulate(session_observed, axis=-1)
        sums = np.cumsum(np.where(session_observed, session_volumes, 0.0), axis=-1)
        total += np.where(known, sums, 0.0)
        count += known
    means = np.full(total.shape, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def relative_volume(today: Floats, volumes: Floats, observed: Flags) -> Floats:
    """Cumulative RVOL, [symbols, slots], a plain ratio; NaN where the earlier sessions give no basis.

    `today` [symbols, slots] in shares a slot; `volumes` and `observed` are the earlier sessions', as for
    mean_accumulated_volume. ValueError for shapes that do not fit.
    """
    return _ratio(np.cumsum(today, axis=-1), mean_accumulated_volume(volumes, observed))


def _ratio(today: Floats, mean: Floats) -> Floats:
    if today.shape != mean.shape:
        raise ValueError(f"today has shape {today.shape}, the sessions before it {mean.shape}")
    ratios = np.full(mean.shape, np.nan)
    np.divide(today, mean, out=ratios, where=mean > 0)
    return ratios
