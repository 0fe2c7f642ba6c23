"""Knows the settings of the service that this one replaces that can be no settings here.

They are accepted where they say what is so anyway, and refused where they do not. Its servers' names are in
process/settings/server_names.py; what merely has another name here is an alias of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What a variable of the earlier service may say, and where to turn for another value."""

    said: frozenset[str]
    cure: str


def _fixed(*said: str, cure: str) -> Fixed:
    return Fixed(said=frozenset(said), cure=cure)


_HOURS = "sessions are those of the exchange; TRADING_CALENDAR_OVERRIDES corrects days, EARLY_EXTENDED_CLOSE early ones"
_PREFIX = "keys have the names in streams.md"
EARLIER: Mapping[str, Fixed] = {
    "TIMEZONE": _fixed("america/new_york", "us/eastern", cure="days and rules are New York's whatever it says"),
    "PRE_MARKET_START": _fixed("04:00", cure=_HOURS),
    "MARKET_OPEN": _fixed("09:30", cure=_HOURS),
    "MARKET_CLOSE": _fixed("16:00", cure=_HOURS),
    "POST_MARKET_END": _fixed("20:00", cure=_HOURS),
    "KEY_PREFIX_MARKET": _fixed("market", cure=_PREFIX),
    "KEY_PREFIX_METADATA": _fixed("metadata", cure=_PREFIX),
    "KEY_PREFIX_RVOL": _fixed("rvol", cure=_PREFIX),
    "RVOL_SLOT_MINUTES": _fixed("5", cure="volume slots are of five minutes"),
}


def refused(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable of *environment* that asks for what cannot be set here."""
    return [
        f"{name} says something else than {' or '.join(sorted(fixed.said))}, and is no setting of this service: "
        f"{fixed.cure}; leave it out"
        for name, fixed in EARLIER.items()
        if (text := environment.get(name, "").strip()) and text.lower() not in fixed.said
    ]
