"""Names what can be found against a session's data, and how a finding reads.

A finding makes a session suspect: it says what was seen, in figures and in a sentence; it decides nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What was found; the first group is about what stands, the second about an answer that was not taken."""

    REPEATED = "repeated_prices"  # another session's prices, or its whole bars
    PRICES = "prices_off"  # the market as a whole at a multiple of its neighbours' prices
    SCATTERED = "prices_scattered"  # far too many symbols at a multiple of their price: shifted rows, half a market
    FLAT = "flat_bars"  # open, high, low and close are one price though shares traded
    RANGES = "ranges_off"  # highs and lows apart as they never are, or far too close
    OPENS = "opens_off"  # far too many bars open where they close
    NO_VOLUME = "volume_missing"  # most rows say that nothing was traded
    VOLUME = "volume_off"  # the market's total volume beyond what happens
    EXCHANGE = "exchange_missing"  # an exchange's symbols are nearly all gone
    SWAPPED = "symbols_swapped"  # two symbols have each other's prices and volumes
    SLOTS = "slots_disagree"  # volume zero by the bars, and traded by the five-minute slots

    CONTRADICTED = "answer_contradicts"  # a later answer of the vendor's says otherwise, for the market
    ROWS = "rows_contradict"  # a later answer gives single rows of a final session beyond belief


# These are about an answer that was kept aside; what stands is what stood before.
ABOUT_AN_ANSWER = frozenset({Kind.CONTRADICTED, Kind.ROWS})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found: *symbols* are those on which it stands or falls, none where it is the market as a whole."""

    kind: Kind
    reason: str
    symbols: tuple[str, ...] = ()
    evidence: dict[str, Any] = {}
