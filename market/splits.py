"""Brings raw prices and volumes from before a split onto the basis of the days after it.

A bar of a day before the execution day is multiplied: price by from/to, volume by to/from. Bars are
stored raw and adjusted where they are used, so a split that the vendor lists late, or takes back,
needs no rewriting of history.
"""

import datetime as dt
import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt


class ContradictorySplits(ValueError):
    """One symbol has two different ratios on one day; applying either, or both, would be a guess."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """`split_from` old shares become `split_to` new ones at the open of `execution_day`.

    `kind` is the vendor's adjustment type, such as forward_split. ValueError for a ratio that is not
    positive and finite.
    """

    symbol: str
    execution_day: dt.date
    split_from: float
    split_to: float
    kind: str

    def __post_init__(self) -> None:
        for shares in (self.split_from, self.split_to):
            if not (math.isfinite(shares) and shares > 0):
                raise ValueError(f"{self.symbol} cannot split {self.split_from} for {self.split_to}")


def price_factors(
    days: npt.NDArray[np.datetime64], splits: Sequence[Split], *, as_of: dt.date
) -> npt.NDArray[np.float64]:
    """What to multiply each day's raw prices by; 1 / factor is what volumes are multiplied by.

    `days` [n] are one symbol's datetime64[D] in any order, `splits` are that symbol's; those executed
    after `as_of` have not happened yet. A split listed twice counts once. ContradictorySplits for two
    ratios on one day, ValueError for splits of several symbols.
    """
    if len({split.symbol for split in splits}) > 1:
        raise ValueError("price factors belong to one symbol; these splits belong to several")
    factors = np.ones(len(days))
    for execution_day, ratio in _ratios(splits).items():
        if execution_day <= as_of:
            factors[days < np.datetime64(execution_day)] *= ratio
    return factors


def _ratios(splits: Sequence[Split]) -> dict[dt.date, float]:
    ratios: dict[dt.date, float] = {}
    for split in splits:
        ratio = split.split_from / split.split_to
        known = ratios.setdefault(split.execution_day, ratio)
        # The vendor has listed one split as 1:7 and as 10:70; rounding may part them.
        if not math.isclose(known, ratio, rel_tol=1e-9):
            raise ContradictorySplits(
                f"{split.symbol} has splits of {1 / known:g} and {1 / ratio:g} for one on {split.execution_day}: "
                "compare both with that morning's prices"
            )
    return ratios
