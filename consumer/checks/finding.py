"""Names what a check may find."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    OK = "ok"
    UNKNOWN = "unknown"  # it could not be looked at
    WARNING = "warning"  # it works, and something may be lost or late
    REFUSED = "refused"  # a promise of this service cannot be kept
    UNREACHABLE = "unreachable"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check has seen; *cure* is what to do about it, empty where there is nothing to do."""

    check: str
    level: Level
    seen: str
    cure: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check=check, level=Level.OK, seen=seen)


def warning(check: str, seen: str, cure: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, seen=seen, cure=cure)


def refused(check: str, seen: str, cure: str) -> Finding:
    return Finding(check=check, level=Level.REFUSED, seen=seen, cure=cure)


def unknown(check: str, seen: str, cure: str = "") -> Finding:
    return Finding(check=check, level=Level.UNKNOWN, seen=seen, cure=cure)
