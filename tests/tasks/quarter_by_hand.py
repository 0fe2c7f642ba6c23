"""Works out from a simulated market itself, in plain Python, what the nights of a quarter must have found.

Shares nothing with the service: loops instead of its arrays, fractions instead of its factors, TA-Lib instead of its
ATR. Whose a bar is, is known by who the market says it is, and never by what was found.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import statistics
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import talib

from market.symbols import is_test_issue
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.tasks.changing_facts import ChangingFacts

SLOTS = 192


class Bar(NamedTuple):
    """A day of a company: raw, under the symbol that it had."""

    day: dt.date
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class Paid(NamedTuple):
    """A dividend of a company, and whether it is one of those that a close is adjusted for."""

    ex_day: dt.date
    amount: Fraction
    counts: bool


class Split(NamedTuple):
    """From the morning of *day* a share is *shares* of them."""

    day: dt.date
    shares: Fraction


class Slots(NamedTuple):
    """What a symbol traded on a day: shares and number of trades by slot of five minutes from 04:00 New York."""

    day: dt.date
    shares: list[float]
    trades: list[int]


class Quarter:
    """The bars of every company up to the newest night, and what is to be made of them.

    *company* says of a symbol on a day who that is, *never_paid* which dividends of a symbol no price has shown; *cut*
    has since when a company's series is a new one.
    """

    def __init__(
        self, market: ChangingFacts, company: Callable[[str, dt.date], str], never_paid: set[tuple[str, dt.date]]
    ) -> None:
        self.market, self.company, self.never_paid = market, company, never_paid
        self.days: list[dt.date] = []
        self.bars: dict[str, list[Bar]] = {}
        self.cut: dict[str, dt.date] = {}
        self._splits: dict[str, list[Split]] = defaultdict(list)

    def add(self, day: dt.date) -> None:
        self.days.append(day)
        for row in self.market.splits(day, day):
            shares = Fraction(str(row.split_to)) / Fraction(str(row.split_from))
            self._splits[self.company(row.ticker, day)].append(Split(day, shares))
        for row in self.market.grouped(day):
            if is_test_issue(row.T):
                continue
            bar = Bar(day, row.T, row.o, row.h, row.l, row.c, row.v)
            self.bars.setdefault(self.company(row.T, day), []).append(bar)

    def present_symbols(self) -> dict[str, str]:
        """How each company that has ever traded is called now; who has lost its symbol to another has no name."""
        newest = {company: bars[-1].symbol for company, bars in self.bars.items()}
        return {company: name for company, name in newest.items() if self.company(name, self.days[-1]) == company}

    # What splits and dividends do to the shares of a company

    def splits(self, company: str) -> list[Split]:
        """Those up to the newest night."""
        return self._splits[company]

    def shares_for_one(self, company: str, day: dt.date) -> Fraction:
        """How many shares of the newest night one of *day* has become."""
        return math.prod((one.shares for one in self.splits(company) if one.day > day), start=Fraction(1))

    def dividends(self, company: str) -> list[Paid]:
        """Those up to the newest night. What no price has ever shown is none, where a price could have shown it."""
        found = []
        for row in self.market.dividends(self.days[0], self.days[-1]):
            day = dt.date.fromisoformat(row.ex_dividend_date)
            if self.company(row.ticker, day) == company:
                amount = Fraction(str(row.cash_amount))
                unseen = (row.ticker, day) in self.never_paid and self._could_be_seen(company, day, amount)
                found.append(Paid(day, amount, row.currency == "USD" and not unseen))
        return found

    def _could_be_seen(self, company: str, ex_day: dt.date, amount: Fraction) -> bool:
        """Whether that is more than a twentieth, and than eight ordinary nights: what docs/dividends.md says."""
        before = [bar for bar in self.bars[company] if bar.day < ex_day]
        nights = [abs(math.log(bar.open / last.close)) for last, bar in itertools.pairwise(before)][-20:]
        if len(nights) < 5:
            return False
        fall = -math.log(1 - amount / self._close_before(company, ex_day))
        return fall > max(-math.log(0.95), 8 * statistics.median(nights))

    def _close_before(self, company: str, ex_day: dt.date) -> Fraction:
        """The last close before, on the shares of that morning: what is paid, is paid on those."""
        close = [bar.close for bar in self.bars[company] if bar.day < ex_day][-1]
        return Fraction(str(close)) / math.prod(
            (one.shares for one in self.splits(company) if one.day == ex_day), start=Fraction(1)
        )

    def closes(self, company: str) -> dict[dt.date, tuple[Fraction, Fraction, Fraction, int]]:
        """By day the raw, the split-adjusted and the total-return close, and how many dividends since are left out."""
        first = self.bars[company][0].day
        paid = [one for one in self.dividends(company) if one.ex_day > first]
        kept = {}
        for ex_day in {one.ex_day for one in paid if one.counts}:
            amount = sum(one.amount for one in paid if one.counts and one.ex_day == ex_day)
            kept[ex_day] = 1 - amount / self._close_before(company, ex_day)
        found = {}
        for bar in self.bars[company]:
            raw = Fraction(str(bar.close))
            adjusted = raw / self.shares_for_one(company, bar.day)
            factor = math.prod((part for ex_day, part in kept.items() if ex_day > bar.day), start=Fraction(1))
            left_out = sum(not one.counts for one in paid if one.ex_day > bar.day)
            found[bar.day] = raw, adjusted, adjusted * factor, left_out
        return found

    # Figures of the newest night

    def own(self, company: str, *, sessions: int | None = None) -> list[Bar]:
        """The bars since the company's boundary, of the last *sessions*, on the shares of the newest night."""
        first = max(self.cut.get(company, self.days[0]), self.days[0] if sessions is None else self.days[-sessions:][0])
        ratios = self._ratios(company)
        found = []
        for bar in self.bars[company]:
            if bar.day >= first:
                ratio = ratios[bar.day]
                prices = {name: getattr(bar, name) / ratio for name in ("high", "low", "close")}
                found.append(bar._replace(**prices, volume=bar.volume * ratio))
        return found

    def _ratios(self, company: str) -> dict[dt.date, float]:
        """How many shares of the newest night one of each day has become, as a float."""
        if not self.splits(company):
            return defaultdict(lambda: 1.0)
        return {bar.day: float(self.shares_for_one(company, bar.day)) for bar in self.bars[company]}

    def atr(self, *, window: int) -> dict[str, tuple[float, int]]:
        """By company TA-Lib's ATR(14) and of how many bars, where it has traded in the last *window* sessions."""
        found = {}
        for company, bars in self.bars.items():
            own = self.own(company)
            if bars[-1].day >= self.days[-window:][0] and len(own) > 14:
                high, low, close = (np.array([getattr(bar, name) for bar in own]) for name in ("high", "low", "close"))
                found[company] = float(talib.ATR(high, low, close, timeperiod=14)[-1]), len(own)
        return found

    def averages(self, company: str) -> dict[str, float]:
        """Means of the last sessions; each as many as there are since the first bar of thirty."""
        own = self.own(company, sessions=30)
        listed = [day for day in self.days[-30:] if day >= own[0].day]
        found = {"avg_price_30d": sum(bar.close for bar in own) / len(own), "last_close": own[-1].close}
        for last in (30, 10, 5):
            recent = set(self.days[-last:])
            sessions = len(recent.intersection(listed))
            total = sum(bar.volume for bar in own if bar.day in recent)
            found[f"avg_volume_{last}d"] = total / sessions if sessions else 0.0
            found[f"avg_volume_sessions{'' if last == 30 else f'_{last}d'}"] = sessions
        return found

    # Slots

    def slots(self, company: str, symbols: Mapping[dt.date, str]) -> list[Slots]:
        """What the company traded on each day since its boundary; *symbols* says under which symbol, by day."""
        return [
            self._slots(symbol, day)
            for day, symbol in symbols.items()
            if self.company(symbol, day) == company and day >= self.cut.get(company, day)
        ]

    def _slots(self, symbol: str, day: dt.date) -> Slots:
        bars = self.market.minute_bars(symbol, [day], 5)
        shares, trades = [0.0] * SLOTS, [0] * SLOTS
        for start_ms, volume, count in zip(bars.starts_ms, bars.volumes, bars.trades, strict=True):
            at = dt.datetime.fromtimestamp(int(start_ms) / 1000, NEW_YORK)
            slot = ((at.hour - 4) * 60 + at.minute) // 5
            shares[slot] += float(volume)
            trades[slot] += int(count)
        return Slots(day, shares, trades)

    def rvol(self, company: str, observed: Sequence[Slots], ends: Mapping[dt.date, int]) -> dict[str, str]:
        """By slot the mean accumulated volume of those days that go on so long, zeros too; a day *ends* with a slot."""
        so_far = [
            [total * float(self.shares_for_one(company, one.day)) for total in itertools.accumulate(one.shares)]
            for one in observed
        ]
        found = {}
        for slot in range(SLOTS):
            sums = [sums[slot] for one, sums in zip(observed, so_far, strict=True) if slot < ends[one.day]]
            if sums:
                found[str(slot)] = str(math.floor(sum(sums) / len(sums) + 1e-6))
        return found
