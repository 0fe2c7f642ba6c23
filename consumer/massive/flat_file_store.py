"""Finds the vendor's flat files in a folder, and says which version of a file it gives.

The vendor publishes a day's file the next morning and now and then replaces it. Its bucket is in flat_file_bucket.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer import this_machine
from consumer.massive.flat_files import MARKET_FOLDER, FileOnDisk, flat_file_path
from consumer.vendor.errors import FlatFilesUnusable, NotYetPublished

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection
    from pathlib import Path

    from consumer.vendor.protocol import FlatFileKind


class LocalFolder:
    """A folder that somebody else keeps filled; a file's version is its time and size."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def versions(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        return await asyncio.to_thread(self._look, kind, days)

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FileOnDisk:
        found = await self.versions(kind, [day])
        path = flat_file_path(self._root, kind, day)
        if day not in found:
            raise NotYetPublished(f"There is no flat file {path.name} in {path.parent} yet")
        return FileOnDisk(path=path, version=found[day])

    def _look(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        """In a thread: the folder may be another machine's."""
        if not (self._root / MARKET_FOLDER).is_dir():
            raise FlatFilesUnusable(f"{self._root} holds no {MARKET_FOLDER} folder. Check MASSIVE_FLAT_FILES")
        found = {}
        for day in days:
            try:
                seen = flat_file_path(self._root, kind, day).stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise FlatFilesUnusable(this_machine.in_words(error)) from error
            found[day] = f"{seen.st_mtime_ns}-{seen.st_size}"
        return found
