"""Holds the market-wide figures of a session against the medians of the sessions before it, and says what is far off.

Pure. No hole is read across: closes are held against the session right before or against nothing; a session that is not
stored whole, or is suspect, is no measure and no older one stands in for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.market_figures import MarketFigures
from market.trading_calendar import TradingCalendar
from market.volume_totals import EARLY_CLOSE_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Sessions by the calendar that a median is of, at most.
TRAILING = 20
#: Of fewer nothing is said.
FEWEST = 3
#: In a smaller market single symbols move a share or a count: it has no word.
FEWEST_ROWS = 100
#: Beyond these times the median a figure is called far off; nothing is suspect for it, which the verdict judges.
ROWS_LOW, ROWS_HIGH = 0.95, 1.05
VOLUME_LOW, VOLUME_HIGH = 0.5, 2.0
UNCHANGED_HIGH, UNCHANGED_MORE = 2.0, 0.05


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A *value* beside what is *usual*, the median of so many sessions (*of*); *word* where it is far off.

    *value* is None where it cannot be said, *usual* where too few sessions say it.
    """

    value: float | None = None
    usual: float | None = None
    of: int = 0
    word: str | None = None


class MarketDay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One session of the whole market. *unchanged* is a share of the closes compared; *note*: what is amiss with it."""

    trading_day: dt.date
    rows: Figure
    volume: Figure
    unchanged: Figure
    early_close: bool = False
    note: str | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: figures of the sessions that are stored, how many rows each is to have, and which are suspect."""

    calendar: TradingCalendar
    figures: Mapping[dt.date, MarketFigures]
    expected: Mapping[dt.date, int]
    suspect: frozenset[dt.date] = frozenset()

    def stands(self, day: dt.date) -> bool:
        """Whether it is stored whole."""
        return day in self.figures and self.figures[day].rows >= self.expected.get(day, 0)

    def measures(self, day: dt.date) -> bool:
        return self.stands(day) and day not in self.suspect

    def share_unchanged(self, day: dt.date) -> float | None:
        """None where the session before is not stored whole."""
        own = self.figures[day]
        if not self.stands(self.calendar.previous_trading_day(day)) or not own.compared:
            return None
        return own.unchanged / own.compared


def market_days(days: Sequence[dt.date], known: Known) -> list[MarketDay]:
    """Return *days*, newest first, each beside its trailing medians."""
    return [_day(day, known) for day in sorted(days, reverse=True)]


def _day(day: dt.date, known: Known) -> MarketDay:
    early = known.calendar.session(day).early_close
    if day not in known.figures:
        nothing = Figure()
        return MarketDay(
            trading_day=day, rows=nothing, volume=nothing, unchanged=nothing, early_close=early, note="not stored"
        )
    own = known.figures[day]
    before = known.calendar.last_trading_days(TRAILING, up_to=known.calendar.previous_trading_day(day))
    measures = [other for other in before if known.measures(other)]
    ordinary = [other for other in measures if not known.calendar.session(other).early_close]
    shares = [share for other in measures if (share := known.share_unchanged(other)) is not None]
    counts = [float(known.figures[other].rows) for other in measures]
    part = EARLY_CLOSE_SHARE if early else 1.0
    volumes = [part * known.figures[other].volume for other in ordinary]
    figures = MarketDay(
        trading_day=day,
        rows=_beside(float(own.rows), counts, low=ROWS_LOW, high=ROWS_HIGH),
        volume=_beside(own.volume, volumes, low=VOLUME_LOW, high=VOLUME_HIGH),
        unchanged=_unchanged(known.share_unchanged(day), shares),
        early_close=early,
        note=_note(day, known),
    )
    return figures if max([own.rows, *counts]) >= FEWEST_ROWS else _wordless(figures)


def _wordless(one: MarketDay) -> MarketDay:
    silent = {name: msgspec.structs.replace(getattr(one, name), word=None) for name in ("rows", "volume", "unchanged")}
    return msgspec.structs.replace(one, **silent)


def _beside(value: float, others: Sequence[float], *, low: float, high: float) -> Figure:
    if len(others) < FEWEST:
        return Figure(value=value, of=len(others))
    usual = median(others)
    word = "far below the usual" if value < low * usual else "far above the usual" if value > high * usual else None
    return Figure(value=value, usual=usual, of=len(others), word=word)


def _unchanged(value: float | None, others: Sequence[float]) -> Figure:
    if value is None or len(others) < FEWEST:
        return Figure(value=value, of=len(others))
    usual = median(others)
    far = value > UNCHANGED_HIGH * usual and value > usual + UNCHANGED_MORE
    return Figure(value=value, usual=usual, of=len(others), word="far above the usual" if far else None)


def _note(day: dt.date, known: Known) -> str | None:
    notes = []
    if not known.stands(day):
        notes.append(f"{known.figures[day].rows:,} of {known.expected[day]:,} rows are there")
    if not known.stands(known.calendar.previous_trading_day(day)):
        notes.append("the session before is not stored whole: no close is held against an older one")
    if day in known.suspect:
        notes.append("suspect, and no measure for others")
    return "; ".join(notes) or None
