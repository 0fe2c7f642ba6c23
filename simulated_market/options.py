"""Says what kind of market is served, and under which plan.

One frozen value for the command line and for tests; nothing else in this package reads flags.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path

import msgspec

from simulated_market.assumptions import Assumptions


class Plan(StrEnum):
    """The vendor's plans differ, for us, in when a day may be asked for."""

    FREE = "free"
    """Never the current New York date, and two years of history."""
    PAID = "paid"
    """Today with a delay of fifteen minutes, and all history."""


class Reissue(msgspec.Struct, frozen=True, kw_only=True):
    """From `day` on the symbol belongs to another company."""

    symbol: str
    day: dt.date


class SimulatorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides an answer besides the request and the clock."""

    tickers: int = 11_000
    seed: int = 1
    replay: Path | None = None
    """A flat-files folder to serve instead of invented data."""
    latency_ms: float = 0.0
    key: str | None = None
    """The only API key accepted; None accepts any, but not none."""
    plan: Plan = Plan.PAID
    dividends: bool = False
    """Whether companies of the invented market pay dividends, which its prices show: another market than without."""
    reissues: tuple[Reissue, ...] = ()
    requests_per_minute: int | None = None
    """Answers 429 beyond this many requests in sixty seconds."""
    assumptions: Assumptions = Assumptions()
