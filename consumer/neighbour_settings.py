"""Declares the settings for neighbours: whose session events are heard, and what is told to those beside us."""

from __future__ import annotations

from contract import keys
from process.settings.reading import BadValue, Setting
from process.settings.values import switch

LONGEST_NAME = 200


def _names(value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.split()))
    for name in found:
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise BadValue("has a name that is none: write for example events:session:changed")
    return found


def _stream(value: str) -> str:
    ours = {one.name for one in keys.STREAMS} - {keys.SESSIONS.name}
    if len(_names(value)) != 1 or value in ours:
        raise BadValue("is no stream of session events: write for example events:session")
    return value


NEIGHBOUR_SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="SESSION_EVENTS_STREAM",
        field="session_events_stream",
        default=keys.SESSIONS.name,
        read=_stream,
        aliases=("STREAM_SESSION_EVENTS",),
        meaning="another one, such as events:session: the stream of another service's market_session, heard too",
    ),
    Setting(
        name="SESSION_EVENTS_CHANNELS",
        field="session_events_channels",
        default="",
        read=_names,
        absent=(),
        words=True,
        meaning="channels on which another service's market_session tells of changes, such as events:session:changed",
    ),
    Setting(
        name="PUBLISH_COMPLETION",
        field="publish_completion",
        default="off",
        read=switch,
        meaning="on: a day whose data are whole is told on maintenance:completed and by maintenance:executed:{day}",
    ),
    Setting(
        name="PUBLISH_NEW_DAY",
        field="publish_new_day",
        default="off",
        read=switch,
        meaning="on: trading:new_day is sent at 03:00 New York, and for clear_caches; neighbours clear their screens",
    ),
)
