"""Judges one company's ex-day: which of its dividends count, whether the price shows them, and the factor of the day.

Pure. What is not applied is counted and told, and what cannot be known has no factor: never a silent 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.dividend_factors import ExDay
from market.dividend_check import Sight, is_large, ordinary_night, sight_of
from market.dividends import US_DOLLAR, Dividend, day_factor, payments
from market.split_check import OvernightPrices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.dividend_prices import AroundExDay


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one ex-day: *sights* has every dividend that is listed, with how far the price fell (USD).

    *ratio*: the open of the ex-day over the close before; None where either is not known.
    """

    ex_day: ExDay
    sights: list[tuple[Dividend, Sight, float | None]]
    ratio: float | None
    is_first: bool  # whether the company has no bar before: nobody asks for its factor

    def with_sight(self, sight: Sight) -> list[Dividend]:
        return [one for one, seen, _ in self.sights if seen is sight]

    @property
    def foreign(self) -> list[Dividend]:
        return [one for one, _, _ in self.sights if one.currency != US_DOLLAR]


def could_show(one: AroundExDay, *, close_is_known: bool) -> bool:
    """Whether so much is paid that the share's nights have to be known, to judge it."""
    paid = [each.amount for each in payments(one.dividends) if each.currency == US_DOLLAR]
    return close_is_known and one.close_before is not None and is_large(paid, one.close_before * one.split_factor)


def judge(one: AroundExDay, nights: Sequence[float], *, close_is_known: bool) -> Judged:
    """Judge an ex-day; *nights*: opens over closes of the nights before it."""
    known = close_is_known and one.close_before is not None
    close = one.close_before * one.split_factor if known and one.close_before is not None else None
    prices = _prices(one, close)
    ordinary = ordinary_night(nights)
    applied = [each for each in payments(one.dividends) if each.currency == US_DOLLAR]
    left_out: list[Dividend] = []
    # The largest goes first: an ordinary dividend beside a special one that nobody saw is still one.
    while sight_of([each.amount for each in applied], prices, ordinary) is Sight.NOT_SHOWN:
        left_out.append(applied.pop(0))
    paid = [each.amount for each in applied]
    sights = dict.fromkeys([each.payment for each in applied], sight_of(paid, prices, ordinary))
    sights |= dict.fromkeys([each.payment for each in left_out], Sight.NOT_SHOWN)
    drop = None if prices is None else prices.close_before - prices.open_after
    foreign = {each.payment for each in one.dividends if each.currency != US_DOLLAR}
    return Judged(
        ex_day=ExDay(
            symbol=one.company,
            ex_dividend_day=one.ex_day,
            paid=sum(paid),
            close_before=close,
            split_factor=one.split_factor,
            factor=_factor(paid, close),
            left_out=len(left_out) + len(foreign),
        ),
        sights=[(each, sights.get(each.payment, Sight.UNCHECKED), drop) for each in one.dividends],
        ratio=None if prices is None else prices.ratios[0],
        is_first=one.day_before is None,
    )


def _prices(one: AroundExDay, close: float | None) -> OvernightPrices | None:
    if close is None or one.open_after is None or one.close_after is None:
        return None
    return OvernightPrices(close_before=close, open_after=one.open_after, close_after=one.close_after)


def _factor(paid: Sequence[float], close: float | None) -> float | None:
    if not paid:
        return 1.0
    return None if close is None else day_factor(paid, close)
