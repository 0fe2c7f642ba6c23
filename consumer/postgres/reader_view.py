"""Says what a view for SQL readers consists of, and what prices it can show."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Prices(StrEnum):
    """What the names mean to SQL readers that do not say it themselves."""

    RAW = "raw"
    ADJUSTED = "adjusted"


class ReaderView(msgspec.Struct, frozen=True):
    """*columns* of our relation *source*, as the view *name*; a *source* of several words is what follows FROM.

    *writable*: neighbours that wrote to the table of that name may write to the view.
    """

    name: str
    source: str
    columns: str
    meaning: str
    writable: bool = False

    @property
    def definition(self) -> str:
        return f"SELECT {self.columns} FROM {self.source}"

    @property
    def as_made(self) -> str:
        """What is kept of a view that was made, to see whether it has changed since."""
        return msgspec.json.encode(self).decode()
