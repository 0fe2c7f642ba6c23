"""Lays a market's sessions side by side and pairs each with its neighbours.

A pair leaves out the symbols that split in between; sessions that are too far apart, or suspect, are no neighbours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from market.session_bars import CLOSE, VOLUME, Flags, Floats, SessionBars, side_by_side
from market.volume_totals import Totals

if TYPE_CHECKING:
    from collections.abc import Collection

NEIGHBOURS = 2  # on either side
FARTHEST = 5  # sessions
EARLIER = 10  # sessions before, of which an answer may be a copy
SAMPLE = 30


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What is known around some sessions.

    `order` numbers trading days one by one; `splits` are the symbols that split on the morning of a day; `totals` are
    volumes of more sessions than those whose bars are here.
    """

    sessions: Mapping[dt.date, SessionBars]
    order: Mapping[dt.date, int]
    exchange_of: Mapping[str, str] = {}
    splits: Mapping[dt.date, frozenset[str]] = {}
    totals: Mapping[dt.date, Totals] = {}
    suspect: frozenset[dt.date] = frozenset()


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A session beside one of its neighbours: figures of both, which symbols count, how far apart they are."""

    neighbour: dt.date
    own: Floats
    other: Floats
    common: Flags
    apart: int  # sessions from the neighbour to the session; negative where the neighbour is the later one

    @property
    def log_ratios(self) -> Floats:
        """Of the close to the neighbour's, of common symbols."""
        ratios: Floats = np.log(self.own[self.common, CLOSE] / self.other[self.common, CLOSE])
        return ratios


class Table:
    """All sessions side by side."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.days = sorted(market.sessions)
        self.symbols, figures = side_by_side([market.sessions[day] for day in self.days])
        self.figures = dict(zip(self.days, figures, strict=True))
        named = [market.exchange_of.get(symbol, "") for symbol in self.symbols]
        self.exchanges: dict[str, Flags] = {
            name: np.array([other == name for other in named], dtype=np.bool_) for name in sorted(set(named) - {""})
        }
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        self._split: dict[dt.date, list[int]] = {
            day: [places[symbol] for symbol in split if symbol in places] for day, split in market.splits.items()
        }

    def pairs(self, day: dt.date, excluded: Collection[dt.date]) -> list[Pair]:
        order = self.market.order
        near = sorted(
            (other for other in self.days if other != day and other not in excluded),
            key=lambda other: abs(order[other] - order[day]),
        )
        near = [other for other in near if abs(order[other] - order[day]) <= FARTHEST]
        before = [other for other in near if other < day][:NEIGHBOURS]
        after = [other for other in near if other > day][:NEIGHBOURS]
        return [self._pair(day, other) for other in (*before, *after)]

    def copies(self, day: dt.date, excluded: Collection[dt.date]) -> list[Pair]:
        """The sessions of which *day* may be a copy: more of those before than it is measured by."""
        order = self.market.order
        near = [other for other in self.days if other not in excluded and order[other] - order[day] <= NEIGHBOURS]
        return [self._pair(day, other) for other in reversed(near) if 0 < abs(order[other] - order[day]) <= EARLIER]

    def _pair(self, day: dt.date, other: dt.date) -> Pair:
        own, beside = self.figures[day], self.figures[other]
        common = np.isfinite(own[:, CLOSE]) & np.isfinite(beside[:, CLOSE])
        first, last = min(day, other), max(day, other)
        for split_on, places in self._split.items():
            if first < split_on <= last:
                common[places] = False
        return Pair(
            neighbour=other,
            own=own,
            other=beside,
            common=common,
            apart=self.market.order[day] - self.market.order[other],
        )

    def most_traded(self, among: Flags, by: Floats) -> tuple[str, ...]:
        """The symbols of *among* with the largest volume in the figures *by*."""
        places = np.flatnonzero(among)
        volumes = np.nan_to_num(by[places, VOLUME])
        return tuple(self.symbols[place] for place in places[np.argsort(-volumes, kind="stable")][:SAMPLE])
