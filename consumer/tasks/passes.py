"""Says how much one pass may ask for symbol by symbol, so that a slow plan reaches figures and caches all the same."""

from __future__ import annotations

import datetime as dt

#: On a slow plan a pass asks for as much as this takes; then figures and caches are made, and the next pass goes on.
PASS_LASTS = dt.timedelta(hours=2)
#: Details may take this part of a pass, slots the rest: neither waits for the other.
DETAILS_SHARE = 3


def slots_a_pass(most: int) -> int:
    """Of *most* requests, those for slots."""
    return max(1, most * (DETAILS_SHARE - 1) // DETAILS_SHARE)


def details_a_pass(most: int) -> int:
    """Of *most* requests, those for details."""
    return max(1, most // DETAILS_SHARE)
