"""Says who is likely to have written over a cache, or to have deleted from it: by what is left of it, and who is there.

Pure. What is known of neighbours is in streams.md; a guess is called one.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOUR = 3_600
GONE, NO_TTL = -2, -1  # as Redis says it
_NAMED = 3
_WRITES = frozenset(
    {
        "append",
        "copy",
        "del",
        "expire",
        "expireat",
        "flushall",
        "flushdb",
        "getdel",
        "getset",
        "hdel",
        "hincrby",
        "hmset",
        "hset",
        "hsetnx",
        "mset",
        "persist",
        "pexpire",
        "psetex",
        "rename",
        "restore",
        "sadd",
        "set",
        "setex",
        "setnx",
        "spop",
        "srem",
        "unlink",
    }
)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a *key* that somebody changed: its seconds to live (GONE, NO_TTL), and when that was found."""

    key: str
    ttl: int
    found_at: dt.datetime


def likely_author(left: Left, clients: Iterable[Mapping[str, str]]) -> str:
    """Name the likely author; *clients* are the rows of CLIENT LIST, of which those that last wrote are named."""
    writing = [
        f"{one.get('name') or 'nameless'} at {one.get('addr', '?')} ({one['cmd']})"
        for one in clients
        if one.get("cmd", "").partition("|")[0] in _WRITES
    ]
    there = f"; connected, and wrote last: {', '.join(writing[:_NAMED])}" if writing else ""
    return f"likely {_habit(left)}{there}"


def _habit(left: Left) -> str:
    is_rvol = left.key.startswith("rvol:hist:avg:")
    if left.ttl == GONE:
        after_midnight = left.found_at.astimezone(NEW_YORK).hour == 0
        if is_rvol and after_midnight:
            return "a neighbour that deletes all averages at New York midnight (analytics)"
        return "somebody's DEL, or a neighbour's clearing of caches"
    if is_rvol and 0 < left.ttl <= 8 * HOUR:
        return "'historical', which rewrites a hash with a TTL of 8 h after a miss"
    if left.key.startswith(("rvol:", "trades:")) and 0 < left.ttl <= 14 * HOUR:
        return "a newer 'historical' or maintenance, which write with a TTL of 14 h"
    if left.key.startswith("metadata:ticker:") and 0 < left.ttl <= HOUR:
        return "the scanner, which sets a document for 1 h after it asked the database"
    if 0 < left.ttl <= 24 * HOUR:
        return "the earlier data_maintenance, whose keys live for up to 24 h: is it still running?"
    if left.ttl == NO_TTL:
        return "somebody's write without a TTL, after the key had gone or in its place"
    return "somebody's HSET or HDEL into the key, whose TTL is still ours"
