"""The flags of `maintenance run`, as its verb and the choice of its source take them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance run`."""

    once: bool = False
    tickers: int | None = None
    simulated: bool = False
    replay: Path | None = None
    trading_day: dt.date | None = None
