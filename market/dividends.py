"""Computes what a dividend takes off the prices before it: the factor of an ex-day, for total-return closes.

The last close before the ex-day, less what is paid, over that close: by the standards of CRSP the closes before the
ex-day are multiplied by that. Payment and close are on one basis of splits, that of the ex-day.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

US_DOLLAR = "USD"
#: ISO 4217's word for no currency: what a list does not name.
NO_CURRENCY = "XXX"
#: The kind of a dividend of which a list names none.
UNNAMED_KIND = "unknown"
#: A share that has less than this left of its price is no share any more, and its factor is rounding.
SMALLEST_FACTOR = 1e-6


class Dividend(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a share of *symbol* before *ex_day* is paid *amount*, as it was paid and never adjusted.

    *kind* is the vendor's word, such as recurring or special. *frequency* counts payments a year; 0: not repeated.
    """

    symbol: str
    ex_day: dt.date
    amount: float
    currency: str
    kind: str
    declared_day: dt.date | None = None
    record_day: dt.date | None = None
    pay_day: dt.date | None = None
    frequency: int | None = None
    vendor_id: str | None = None

    @property
    def payment(self) -> tuple[float, str, str]:
        """What is paid: of one company and ex-day it is one payment, under however many symbols it is listed."""
        return self.amount, self.currency, self.kind

    def __str__(self) -> str:
        return f"{self.symbol} {self.ex_day} {self.amount:g} {self.currency}"


def payments(listed: Iterable[Dividend]) -> list[Dividend]:
    """The dividends of one company and ex-day, each payment once, the largest first."""
    return sorted({one.payment: one for one in listed}.values(), key=lambda one: one.payment, reverse=True)


def day_factor(paid: Sequence[float], close_before: float) -> float | None:
    """What closes before an ex-day are multiplied by to take off all that is *paid* on it; 1.0 where nothing is.

    None where it is as much as the share cost: no price of before is left to compare with.
    """
    factor = 1.0 - sum(paid) / close_before
    return factor if factor >= SMALLEST_FACTOR else None
