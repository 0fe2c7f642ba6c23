"""Says how a session's trading spreads over its five-minute slots.

Slots count from 04:00 New York; the closing auction prints in the slot that begins at the close.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from simulated_market.bar_columns import Integers
from simulated_market.invented.dice import Floats

if TYPE_CHECKING:
    from market.session import TradingSession

SLOT_MS = 300_000
SLOTS = 192
_OPENING_SLOT = 66


class SessionShape(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the day's trades and volume by slot, each summing to one; zero where the market is shut."""

    starts_ms: int
    early_close: bool
    trades: Floats
    volumes: Floats
    regular_slots: Integers


def session_shape(session: TradingSession) -> SessionShape:
    """The shape of a full day or of one that closes early."""
    close = _slot(session, session.closes_at.timestamp())
    end = _slot(session, session.extended_closes_at.timestamp())
    trades, volumes = np.zeros(SLOTS), np.zeros(SLOTS)
    regular = np.arange(_OPENING_SLOT, close)
    smile = np.array([0.6 + 1.6 * math.cos(math.pi * place) ** 2 for place in np.linspace(0, 1, len(regular))])
    pre = np.linspace(0.2, 1.8, _OPENING_SLOT)
    post = np.linspace(1.8, 0.2, end - close - 1)
    for spread, shares in ((trades, (0.03, 0.93, 0.015, 0.025)), (volumes, (0.02, 0.85, 0.10, 0.03))):
        spread[:_OPENING_SLOT] = shares[0] * pre / pre.sum()
        spread[regular] = shares[1] * smile / smile.sum()
        spread[close] = shares[2]
        spread[close + 1 : end] = shares[3] * post / post.sum()
    return SessionShape(
        starts_ms=int(session.pre_market_opens_at.timestamp()) * 1000,
        early_close=session.early_close,
        trades=trades,
        volumes=volumes,
        regular_slots=regular,
    )


def _slot(session: TradingSession, instant: float) -> int:
    return int(instant - session.pre_market_opens_at.timestamp()) // 300
