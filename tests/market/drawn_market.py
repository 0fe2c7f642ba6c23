"""Draws a few sessions of a small market, and spoils them, for the tests of judgement."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from market.market_table import Market
from market.plausibility import judge
from market.session_bars import VOLUME, Floats, SessionBars
from market.volume_totals import WHOLE_MARKET, Totals

if TYPE_CHECKING:
    from market.findings import Kind

DAYS = tuple(dt.date(2025, 11, day) for day in (3, 4, 5, 6, 7))
NEWEST = DAYS[-1]
TICKERS = 240


def drawn(seed: int, tickers: int = TICKERS, nights: dict[int, float] | None = None) -> dict[dt.date, SessionBars]:
    """Sessions of a market whose symbols wander by two per cent a night; *nights*: what all of them do besides."""
    dice = np.random.default_rng(seed)
    level = dice.normal(3.0, 1.2, tickers)
    usual = np.exp(dice.normal(11.0, 1.5, tickers))
    found = {}
    for number, day in enumerate(DAYS):
        level = level + dice.normal(0.0, 0.02, tickers) + np.log1p((nights or {}).get(number, 0.0))
        close = np.round(np.exp(level), 2) + 0.01
        opened = close * np.exp(dice.normal(0.0, 0.01, tickers))
        figures = np.stack(
            [opened, np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99, close,
             np.round(usual * np.exp(dice.normal(0.0, 0.4, tickers)))], axis=1
        )  # fmt: skip
        found[day] = SessionBars(symbols=tuple(f"S{number:04}" for number in range(tickers)), figures=figures)
    return found


def market_of(sessions: dict[dt.date, SessionBars], **known: Any) -> Market:
    totals = {
        day: Totals(volume={WHOLE_MARKET: float(bars.figures[:, VOLUME].sum())}, rows={WHOLE_MARKET: len(bars)})
        for day, bars in sessions.items()
    }
    order = {day: number for number, day in enumerate(DAYS)}
    return Market(sessions=sessions, order=order, totals=totals, **known)


def changed(bars: SessionBars, by: Any) -> SessionBars:
    figures = bars.figures.copy()
    by(figures)
    return SessionBars(symbols=bars.symbols, figures=figures)


def kinds(market: Market, *days: dt.date) -> dict[dt.date, set[Kind]]:
    return {day: {one.kind for one in found} for day, found in judge(market, days or DAYS).items()}


def times(factor: float) -> Any:
    def by(figures: Floats) -> None:
        figures[:, :VOLUME] *= factor

    return by
