"""Judges a simulated year for false alarms, and tries each wrong answer on every day of it.

The year is the invented market's, with what real years have on top: a crash in two days and its rebound, half days,
expiries, a rebalancing, and every day some names that jump by half or more and trade many times their usual volume.
`python -m tests.market.plausibility_year [tickers]` prints both.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable

import msgspec
import numpy as np

from market.contradiction import denied
from market.findings import Kind
from market.market_table import EARLIER, Market
from market.plausibility import judge
from market.session_bars import CLOSE, FIGURES, HIGH, LOW, OPEN, VOLUME, Flags, Floats, SessionBars
from market.swapped_symbols import swapped_pairs
from market.trading_calendar import TradingCalendar
from market.volume_totals import WHOLE_MARKET, Totals
from simulated_market.invented.market import InventedMarket

CALENDAR = TradingCalendar()
FIRST, LAST = dt.date(2024, 11, 1), dt.date(2025, 11, 14)
# By session of the year: what the whole market does over night, and how many times the usual it trades.
MARKET_MOVES = {60: -0.12, 61: -0.20, 62: 0.25, 63: -0.12, 64: 0.15, 120: 0.11, 121: -0.09}
EXPIRIES = {34: 2.5, 96: 2.5, 158: 2.5, 220: 2.5}
REBALANCING = 165
PANIC = range(58, 67)
JUMPERS = 0.004  # of all names, every day

Spoil = Callable[["Year", dt.date, np.random.Generator], SessionBars]


class Year(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions, and what is known of their symbols."""

    days: tuple[dt.date, ...]
    market: Market

    def around(self, day: dt.date, own: SessionBars | None = None, *, before: int = 20) -> Market:
        """The market as the service would read it on the evening of *day*: nothing later; *own* in its place."""
        at = self.days.index(day)
        near = self.days[max(0, at - EARLIER) : at + 1]
        told = self.days[max(0, at - before) : at + 1]
        sessions = {other: self.market.sessions[other] for other in near}
        totals = {other: self.market.totals[other] for other in told}
        if own is not None:
            sessions[day] = own
            totals[day] = totals_of(own, self.market.exchange_of, early_close=CALENDAR.session(day).early_close)
        return msgspec.structs.replace(self.market, sessions=sessions, totals=totals)


def totals_of(bars: SessionBars, exchange_of: dict[str, str], *, early_close: bool) -> Totals:
    names = np.array([exchange_of.get(symbol, WHOLE_MARKET) for symbol in bars.symbols])
    volume = {WHOLE_MARKET: float(bars.figures[:, VOLUME].sum())}
    rows = {WHOLE_MARKET: len(bars)}
    for name in sorted(set(names.tolist()) - {WHOLE_MARKET}):
        volume[name], rows[name] = float(bars.figures[names == name, VOLUME].sum()), int((names == name).sum())
    return Totals(volume=volume, rows=rows, early_close=early_close)


def make_year(tickers: int, *, seed: int = 7, sessions: int | None = None) -> Year:
    """Live through the year."""
    invented = InventedMarket(tickers, seed, CALENDAR)
    prices, universe = invented._prices, invented._universe
    days = CALENDAR.trading_days(FIRST, LAST)[:sessions]
    size = universe.size
    dice = np.random.default_rng(seed)
    level = np.zeros(size)
    made: dict[dt.date, SessionBars] = {}
    for number, day in enumerate(days):
        jumps = _jumps(size, dice)
        level += jumps + _night(number, size, dice)
        bars = prices.on(day)
        rows = np.flatnonzero(bars.traded)
        figures = bars.columns[rows][:, [0, 2, 3, 1, 4]].copy()
        figures[:, :VOLUME] = np.maximum(np.round(figures[:, :VOLUME] * np.exp(level[rows])[:, None], 4), 0.0001)
        if number in PANIC:
            _widen(figures, 5.0)
        figures[:, VOLUME] *= _busy(number, day, size, dice)[rows] * np.where(jumps[rows] != 0.0, 8.0, 1.0)
        listed = universe.on(day)
        made[day] = SessionBars(symbols=tuple(listed[row].symbol for row in rows.tolist()), figures=figures)
    exchange_of = {listing.symbol: listing.exchange for listing in universe.rows()}
    splits: dict[dt.date, frozenset[str]] = {}
    for split in invented.splits(FIRST, LAST):
        on = dt.date.fromisoformat(split.execution_date)
        splits[on] = splits.get(on, frozenset()) | {split.ticker}
    totals = {
        day: totals_of(bars, exchange_of, early_close=CALENDAR.session(day).early_close) for day, bars in made.items()
    }
    order = {day: number for number, day in enumerate(days)}
    market = Market(sessions=made, order=order, exchange_of=exchange_of, splits=splits, totals=totals)
    return Year(days=tuple(days), market=market)


def _widen(figures: Floats, times: float) -> None:
    """What a bar reaches beyond its open and close, *times* as far."""
    above, below = figures[:, [OPEN, CLOSE]].max(axis=1), figures[:, [OPEN, CLOSE]].min(axis=1)
    figures[:, HIGH] = above * (figures[:, HIGH] / above) ** times
    figures[:, LOW] = below * (figures[:, LOW] / below) ** times


def _night(number: int, size: int, dice: np.random.Generator) -> Floats:
    """What the market does over night, with noise."""
    move = np.full(size, np.log1p(MARKET_MOVES.get(number, 0.0)))
    move += dice.normal(0.0, 0.06 if number in PANIC else 0.005, size)
    return move


def _jumps(size: int, dice: np.random.Generator) -> Floats:
    jumping = dice.random(size) < JUMPERS
    upwards = np.where(dice.random(size) < 0.6, 1.0, -1.0)
    jumps: Floats = np.where(jumping, upwards * (np.log(1.5) + dice.exponential(0.35, size)), 0.0)
    return jumps


def _busy(number: int, day: dt.date, size: int, dice: np.random.Generator) -> Floats:
    busy = np.full(size, EXPIRIES.get(number, 1.0)) * (2.2 if number in PANIC else 1.0)
    if CALENDAR.session(day).early_close:
        busy *= 0.4
    if number == REBALANCING:
        busy[dice.random(size) < 0.6] *= 3.5
    return busy


# Wrong answers


def _scaled(factor: float, column: slice | int, share: float = 1.0) -> Spoil:
    def spoil(year: Year, day: dt.date, dice: np.random.Generator) -> SessionBars:
        bars = year.market.sessions[day]
        figures = bars.figures.copy()
        some = dice.random(len(bars)) < share
        figures[some, column] *= factor
        return SessionBars(symbols=bars.symbols, figures=figures)

    return spoil


def _of_an_exchange(factor: float, column: slice | int) -> Spoil:
    def spoil(year: Year, day: dt.date, dice: np.random.Generator) -> SessionBars:
        bars = year.market.sessions[day]
        figures = bars.figures.copy()
        figures[_members(year, bars, dice), column] *= factor
        return SessionBars(symbols=bars.symbols, figures=figures)

    return spoil


def _members(year: Year, bars: SessionBars, dice: np.random.Generator) -> Flags:
    names = np.array([year.market.exchange_of.get(symbol, "") for symbol in bars.symbols])
    large = [name for name in sorted(set(names.tolist())) if name and (names == name).sum() >= 110]
    return names == large[int(dice.integers(len(large)))]


def _exchange_gone(year: Year, day: dt.date, dice: np.random.Generator) -> SessionBars:
    bars = year.market.sessions[day]
    left = ~_members(year, bars, dice)
    return SessionBars(symbols=tuple(np.array(bars.symbols)[left].tolist()), figures=bars.figures[left])


def _other_day(back: int) -> Spoil:
    def spoil(year: Year, day: dt.date, _dice: np.random.Generator) -> SessionBars:
        return year.market.sessions[year.days[year.days.index(day) - back]]

    return spoil


def _others(column: slice | int, back: int) -> Spoil:
    """The prices, or the volumes, of a session before with the rest of the day's own."""

    def spoil(year: Year, day: dt.date, _dice: np.random.Generator) -> SessionBars:
        own, before = year.market.sessions[day], year.market.sessions[year.days[year.days.index(day) - back]]
        common = sorted(set(own.symbols) & set(before.symbols))
        figures = own.only(common).figures.copy()
        figures[:, column] = before.only(common).figures[:, column]
        return SessionBars(symbols=tuple(common), figures=figures)

    return spoil


def _swapped(year: Year, day: dt.date, dice: np.random.Generator) -> SessionBars:
    """Two well traded symbols whose prices differ by more than half."""
    bars = year.market.sessions[day]
    traded = np.flatnonzero(bars.figures[:, VOLUME] > 10_000)
    while True:
        first, second = dice.choice(traded, 2, replace=False).tolist()
        if abs(np.log(bars.figures[first, CLOSE] / bars.figures[second, CLOSE])) > np.log(2.0):
            break
    figures = bars.figures.copy()
    figures[[first, second]] = figures[[second, first]]
    return SessionBars(symbols=bars.symbols, figures=figures)


def _shifted(year: Year, day: dt.date, _dice: np.random.Generator) -> SessionBars:
    bars = year.market.sessions[day]
    return SessionBars(symbols=bars.symbols, figures=np.roll(bars.figures, 1, axis=0))


def _flat(year: Year, day: dt.date, _dice: np.random.Generator) -> SessionBars:
    bars = year.market.sessions[day]
    figures = bars.figures.copy()
    figures[:, :CLOSE] = figures[:, [CLOSE]]
    return SessionBars(symbols=bars.symbols, figures=figures)


def _opens_of_closes(year: Year, day: dt.date, _dice: np.random.Generator) -> SessionBars:
    bars = year.market.sessions[day]
    figures = bars.figures.copy()
    figures[:, OPEN] = figures[:, CLOSE]
    return SessionBars(symbols=bars.symbols, figures=figures)


PRICES = slice(0, VOLUME)
WRONG: dict[str, Spoil] = {
    "the session before": _other_day(1),
    "two sessions before": _other_day(2),
    "nine sessions before": _other_day(9),
    "prices of the session before": _others(PRICES, 1),
    "prices of five sessions before": _others(PRICES, 5),
    "volumes of the session before": _others(VOLUME, 1),
    "volumes of ten sessions before": _others(VOLUME, 10),
    "prices x 100": _scaled(100.0, PRICES),
    "prices / 100": _scaled(0.01, PRICES),
    "prices x 1.8": _scaled(1.8, PRICES),
    "half of the prices x 100": _scaled(100.0, PRICES, 0.5),
    "a tenth of the prices x 10": _scaled(10.0, PRICES, 0.1),
    "volumes zero": _scaled(0.0, VOLUME),
    "most volumes zero": _scaled(0.0, VOLUME, 0.7),
    "volumes x 100": _scaled(100.0, VOLUME),
    "volumes / 100": _scaled(0.01, VOLUME),
    "an exchange's prices x 100": _of_an_exchange(100.0, PRICES),
    "an exchange's volumes zero": _of_an_exchange(0.0, VOLUME),
    "an exchange gone": _exchange_gone,
    "rows shifted by one": _shifted,
    "one price a bar": _flat,
    "highs x 10": _scaled(10.0, HIGH),
    "lows / 10": _scaled(0.1, LOW),
    "a tenth of the highs x 10": _scaled(10.0, HIGH, 0.1),
    "opens are closes": _opens_of_closes,
    "two symbols swapped": _swapped,
}


class Tally(msgspec.Struct):
    """Of how many days a wrong answer was caught: as a first answer, and where the true session stands as final."""

    days: int = 0
    first: int = 0
    standing: int = 0


def alarms(year: Year) -> dict[dt.date, list[str]]:
    """The false alarms: every day judged on its own evening, and all of them once more as a first load does."""
    found = {}
    for day in year.days[1:]:
        for finding in judge(year.around(day), [day]).get(day, []):
            found.setdefault(day, []).append(f"{finding.kind}: {finding.reason}")
    for at in range(0, len(year.days), 30):
        window = year.days[at : at + 30]
        sessions = {day: year.market.sessions[day] for day in window}
        totals = {day: year.market.totals[day] for day in window}
        together = msgspec.structs.replace(year.market, sessions=sessions, totals=totals)
        for day, findings in judge(together, window).items():
            found.setdefault(day, []).extend(f"together: {one.kind}: {one.reason}" for one in findings)
    return found


def trials(year: Year, *, every: int = 1) -> dict[str, Tally]:
    """Try each wrong answer on each *every*-th day from the tenth on."""
    tallies = {}
    for name, spoil in WRONG.items():
        dice = np.random.default_rng(11)
        tally = tallies[name] = Tally()
        for day in year.days[10::every]:
            wrong = spoil(year, day, dice)
            found = judge(year.around(day, wrong), [day]).get(day, [])
            against = denied(year.market.sessions[day], wrong, final=True)
            tally.days += 1
            tally.first += bool(found)
            tally.standing += bool(against.symbols) or any(one.kind is not Kind.SWAPPED for one in found)
    return tallies


def pairs_by_chance(days: int, jumpers: int, *, busier: float, seed: int = 3) -> int:
    """How many swapped pairs are named on *days* on which *jumpers* well traded names jump by half or more.

    They trade *busier* times what they did, opens lie anywhere on the way: more, and dearer, than real days have.
    """
    dice = np.random.default_rng(seed)
    named = 0
    for _ in range(days):
        prices, volumes = np.exp(dice.normal(2.3, 1.4, jumpers)), 10_000 + np.exp(dice.normal(11.5, 2.5, jumpers))
        jumps = np.where(dice.random(jumpers) < 0.6, 1, -1) * (np.log(1.5) + dice.exponential(0.35, jumpers))
        before = np.repeat(prices[:, None], FIGURES, axis=1)
        own = before * np.exp(jumps)[:, None]
        own[:, OPEN] = prices * np.exp(jumps * dice.choice([0.2, 0.6, 0.9, 1.0, 1.1], jumpers))
        before[:, VOLUME] = volumes
        own[:, VOLUME] = volumes * busier * np.exp(dice.normal(0.0, 1.2, jumpers))
        named += len(swapped_pairs(own, before))
    return named


def main() -> None:
    tickers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_500
    started = time.perf_counter()
    year = make_year(tickers)
    rows = [len(bars) for bars in year.market.sessions.values()]
    print(f"{len(year.days)} sessions of {min(rows)} to {max(rows)} symbols, made in "
          f"{time.perf_counter() - started:.1f} s")  # fmt: skip
    started = time.perf_counter()
    false = alarms(year)
    took = time.perf_counter() - started
    print(f"judged one by one, and thirty at a time, in {took:.1f} s: {len(false)} false alarms")
    for day, lines in sorted(false.items()):
        print(f"  {day} (session {year.days.index(day)}): {lines}")
    for busier in (10.0, 1.0):
        named = pairs_by_chance(5_000, 40, busier=busier)
        print(f"pairs named by chance: {named} on 5,000 days of 40 jumpers that trade {busier:g} times the usual")
    print(f"{'wrong answer':32} days  caught as a first answer   where the true session stands")
    for name, tally in trials(year).items():
        print(f"{name:32} {tally.days:4}  {tally.first:22} {tally.standing:30}")


if __name__ == "__main__":
    main()
