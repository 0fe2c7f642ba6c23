"""Finds the vendor's flat files, one gzipped CSV a day for the whole market, and hands them over read.

The layout below the folder is the vendor's own: us_stocks_sip/minute_aggs_v1/2026/07/2026-07-15.csv.gz.  A file that is
not there is `NotYetPublished`.  Reading needs polars, an extra that is imported only when a file is read.
"""

from __future__ import annotations

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING

from consumer.vendor.errors import FlatFilesNotInstalled

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path
    from types import ModuleType

    from consumer.massive.rows import GroupedDaily, MinuteSlots
    from market.session import TradingSession

MARKET_FOLDER = "us_stocks_sip"


class FlatFileKind(StrEnum):
    """The vendor's folder for each kind of file."""

    DAY = "day_aggs_v1"
    MINUTE = "minute_aggs_v1"


def flat_file_path(root: Path, kind: FlatFileKind, day: dt.date) -> Path:
    """Where the vendor's layout puts that file, whether it is there or not."""
    return root / MARKET_FOLDER / kind / f"{day:%Y}" / f"{day:%m}" / f"{day.isoformat()}.csv.gz"


def read_minute_slots(path: Path, session: TradingSession) -> MinuteSlots:
    """The file's minutes summed into slots; a minute that stands twice for a symbol counts once, the larger."""
    slots: MinuteSlots = _tables().read_minute_slots(path, session)
    return slots


def read_day_bars(path: Path, day: dt.date) -> GroupedDaily:
    """The file's bars, held to the same rules as the REST answer of that day."""
    bars: GroupedDaily = _tables().read_day_bars(path, day)
    return bars


def _tables() -> ModuleType:
    try:
        return importlib.import_module("consumer.massive.flat_file_tables")
    except ModuleNotFoundError as error:
        if error.name != "polars":
            raise
        raise FlatFilesNotInstalled(
            "Reading flat files needs polars: pip install 'data-maintenance[flat-files]'"
        ) from error
