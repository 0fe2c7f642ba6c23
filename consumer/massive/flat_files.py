"""Finds the vendor's flat files, one gzipped CSV a day for the whole market, and hands them over read.

The layout below the folder is the vendor's own: us_stocks_sip/minute_aggs_v1/2026/07/2026-07-15.csv.gz.  A file that is
not there is `NotYetPublished`.  Reading needs polars, an extra that is imported only when a file is read.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consumer.vendor.errors import FlatFilesNotInstalled
from consumer.vendor.protocol import FlatFileKind

if TYPE_CHECKING:
    import datetime as dt
    from types import ModuleType

    from consumer.vendor.rows import GroupedDaily, MinuteSlots
    from market.session import TradingSession

MARKET_FOLDER = "us_stocks_sip"


_FOLDERS = {FlatFileKind.DAY: "day_aggs_v1", FlatFileKind.MINUTE: "minute_aggs_v1"}


class FileOnDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A file on this machine, and the version of the vendor's file that it is."""

    path: Path
    version: str

    def minute_slots(self, session: TradingSession) -> MinuteSlots:
        """Its minutes summed into slots."""
        return read_minute_slots(self.path, session)

    def day_bars(self, day: dt.date) -> GroupedDaily:
        """Its bars."""
        return read_day_bars(self.path, day)


def flat_file_path(root: Path, kind: FlatFileKind, day: dt.date) -> Path:
    """Where the vendor's layout puts that file, whether it is there or not."""
    return root / MARKET_FOLDER / _FOLDERS[kind] / f"{day:%Y}" / f"{day:%m}" / f"{day.isoformat()}.csv.gz"


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
