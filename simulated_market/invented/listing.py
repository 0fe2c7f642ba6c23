"""Describes one listing: a symbol, the company behind it, and the days on which it may trade.

A company that changes its ticker has one listing a symbol, with the same entity.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from simulated_market.invented import dice

TEST_NAMES = frozenset({"NASDAQ TEST STOCK", "NYSE TEST STOCK", "NYSE ARCA TEST STOCK", "BATS TEST STOCK"})
COMPANY_TYPES = frozenset({"CS", "ADRC"})
_FIGI_LETTERS = "0123456789BCDFGHJKLMNPQRSTVWXYZ"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor would know about a symbol; `row` is its place in every day's vectors."""

    row: int
    symbol: str
    ticker_type: str
    name: str
    exchange: str
    sic: str
    entity: int
    """Dice key of the company: whatever is derived from it survives a change of ticker."""
    listed_day: dt.date
    first_day: dt.date
    """First day under this symbol."""
    ended_day: dt.date | None = None
    """First day no longer under this symbol."""
    renamed: bool = False
    """It ended, or began, with a change of ticker, not with a delisting or an offering."""
    price: float
    trades_a_day: float
    shares: int

    def trades_on(self, day: dt.date) -> bool:
        """Whether the symbol is listed on that date (the market may still be shut)."""
        return self.first_day <= day and (self.ended_day is None or day < self.ended_day)

    @property
    def is_test_issue(self) -> bool:
        return self.name in TEST_NAMES


def chance(listing: Listing, topic: str) -> float:
    """A number in [0, 1) that belongs to the company and the topic."""
    return dice.label(listing.entity, topic) / 2.0**64


def figi(entity: int, topic: str) -> str:
    """A code of the shape that financial instruments have: BBG and nine characters."""
    number = dice.label(entity, topic)
    letters = ""
    for _ in range(9):
        number, place = divmod(number, len(_FIGI_LETTERS))
        letters += _FIGI_LETTERS[place]
    return f"BBG00{letters[2:]}"
