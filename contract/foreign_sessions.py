"""Reads what another service's market_session says of a change: two vocabularies, as stream fields or as JSON.

`from_session` and `to_session` stand on its stream, `previous_session` and `new_session` on its channels. What our own
message has beyond that, it does not say; it is derived elsewhere, from the calendar. Pure.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec

from contract.flat_fields import BadField, quote, read_field
from contract.messages import UndecodableMessage
from market.session import SessionPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE = ("from_session", "previous_session")
AFTER = ("to_session", "new_session")
LONGEST_MESSAGE = 65_536


class ForeignChange(msgspec.Struct, frozen=True, kw_only=True):
    """What was said: the phase before, None where nothing is said of it; *timestamp* where it is an instant.

    *trading_date* is a date of their calendar, weekends and holidays included.
    """

    before: SessionPhase | None
    after: SessionPhase
    trading_date: dt.date
    timestamp: dt.datetime | None

    @property
    def is_a_change(self) -> bool:
        """Not where the phase stays: at each midnight, after a restart, or by hand."""
        return self.before != self.after


def decode_foreign_change(fields: Mapping[str, str]) -> ForeignChange:
    """Read the fields of an entry. Raises UndecodableMessage with all that cannot be read."""
    problems: list[str] = []

    def read(names: tuple[str, ...], wanted: type, *, required: bool) -> Any:
        try:
            return _said(fields, names, wanted, required=required)
        except BadField as error:
            problems.append(str(error))
            return None

    before = read(BEFORE, SessionPhase, required=False)
    after = read(AFTER, SessionPhase, required=True)
    day = read(("trading_date",), dt.date, required=True)
    if problems:
        raise UndecodableMessage("; ".join(problems))
    return ForeignChange(before=before, after=after, trading_date=day, timestamp=_instant(fields.get("timestamp", "")))


def decode_foreign_message(text: str | bytes) -> ForeignChange:
    """Read a message of a channel, flat or of an event bus: {"event_type", "data", "timestamp"}.

    Raises UndecodableMessage.
    """
    if len(text) > LONGEST_MESSAGE:
        raise UndecodableMessage(f"the message has {len(text)} characters: at most {LONGEST_MESSAGE}")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UndecodableMessage(f"the message is no JSON: {type(error).__name__}") from error
    data = said.get("data", said) if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(data, dict):
        raise UndecodableMessage("the message is no JSON object of a change, nor has one as data")
    both = {**said, **data}
    return decode_foreign_change({name: text for name, text in both.items() if isinstance(text, str)})


def _said(fields: Mapping[str, str], names: tuple[str, ...], wanted: type, *, required: bool) -> Any:
    """What *fields* say under one of *names*. Raises BadField, also where two of them differ."""
    given = {name: text for name in names if (text := str(fields.get(name, "")).strip())}
    if not given:
        if required:
            raise BadField(f"{' or '.join(names)} is missing")
        return None
    read = {name: read_field(name, text, wanted) for name, text in given.items()}
    if len(set(read.values())) > 1:
        raise BadField(" and ".join(f"{name} {quote(text)}" for name, text in given.items()) + " contradict each other")
    return next(iter(read.values()))


def _instant(text: str) -> dt.datetime | None:
    """None also where the time is of a zone that is not said: theirs is whatever their machine's clock shows."""
    try:
        at: dt.datetime = read_field("timestamp", str(text).strip(), dt.datetime)
    except BadField:
        return None
    return at
