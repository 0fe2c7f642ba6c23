"""Says what a first contact with the real vendor found: each assumption, what was seen, and which setting follows.

Nobody has verified these assumptions; a person with a key can, and sends the report back. It never holds a key.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

import msgspec

MOST_REQUESTS = 30


class Standing(StrEnum):
    """How an assumption fared."""

    HOLDS = "as assumed"
    OTHERWISE = "otherwise"
    UNSEEN = "not seen"  # it could not be told now; `seen` says when it can be


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption and what the vendor did. *follows* is what to do about it or what the service does of itself.

    *settings* are the environment variables to set, by name; empty where they stand as they should be.
    """

    assumption: str
    assumed: str
    standing: Standing
    seen: str
    follows: str = ""
    settings: dict[str, str] = {}


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and the outline of its answer; *status* 0: none came. *sample* is the first row, or what was said."""

    number: int
    address: str
    status: int
    milliseconds: int
    size: int
    headers: dict[str, str]
    envelope: dict[str, Any]
    rows: int | None
    sample: str


class ContactReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as it is written to a file. *at* is an aware instant, *new_york* the same where the market is."""

    version: str
    at: dt.datetime
    new_york: str
    vendor: str
    requests: int
    key_accepted: bool | None
    plan: str
    settings: dict[str, str]
    seen: list[Seen]
    exchanges: list[Exchange]

    @property
    def otherwise(self) -> list[Seen]:
        """What is not as assumed."""
        return [one for one in self.seen if one.standing is Standing.OTHERWISE]
