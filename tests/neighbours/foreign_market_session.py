"""Says what the neighbours' own market_session says, in the form of each of its revisions; from what was seen of it.

It polls every half minute: an instant is when it looked. Its date is the one of the New York wall, weekends included;
at midnight it says that CLOSED became CLOSED. Booleans are JSON, the event bus's own instant has no zone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis

STREAM = "events:session"
CHANNEL = "events:session:changed"
OLD_CHANNEL = "events:session_change"


def entry(before: str, after: str, at: dt.datetime, *, day: dt.date | None = None) -> dict[str, str]:
    """The fields of its stream: the older revisions write them, with the same on the older channel as JSON."""
    wall = at.astimezone(NEW_YORK)
    date = day or wall.date()
    new_day = "true" if before == after == "CLOSED" else "false"
    return {
        "from_session": before, "to_session": after, "timestamp": wall.isoformat(), "trading_date": date.isoformat(),
        "is_new_day": new_day, "should_clear_buffers": new_day, "should_reload_universe": new_day,
        "should_reset_rvol": new_day,
    }  # fmt: skip


def bus_message(before: str, after: str, at: dt.datetime, *, day: dt.date | None = None) -> str:
    """The same on the event bus: all revisions have it, the newest nothing else."""
    date = day or at.astimezone(NEW_YORK).date()
    data = {"new_session": after, "previous_session": before, "trading_date": str(date)}
    return json.dumps({"event_type": "session:changed", "data": data, "timestamp": at.replace(tzinfo=None).isoformat()})


async def write(redis: Redis, before: str, after: str, at: dt.datetime) -> None:
    """As it writes to its stream, whose length it keeps at about a thousand."""
    fields: dict[Any, Any] = {**entry(before, after, at)}
    await redis.xadd(STREAM, fields, maxlen=1000, approximate=True)
