"""Invents the listings that come, go and change their ticker, a few every month.

A row of a day's vectors belongs to one company after another (rolling rows: a delisting, then an
offering) or to one company under one symbol after another (renaming rows).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from simulated_market.invented import dice
from simulated_market.invented.company_names import company_name
from simulated_market.invented.listing import Listing
from simulated_market.invented.periods import (
    FIRST_PERIOD,
    HISTORY_BEGINS,
    event_day,
    last_period,
    on_or_after,
)
from simulated_market.invented.static_listings import industry_code, share_count

if TYPE_CHECKING:
    from market.trading_calendar import TradingCalendar

# With eight rows of a sort, each changes every sixteen weeks and one of them in every fortnight.
_MOST_ROWS = 8
_VACANT = dt.timedelta(days=5)


def changing_rows(count: int) -> int:
    """How many rows of each of the two sorts a market of *count* tickers has."""
    return 0 if count < 6 else min(_MOST_ROWS, max(1, count // 12))


def rolling_row(row: int, turn: int, turns: int, seed: int, calendar: TradingCalendar) -> list[Listing]:
    """Companies that follow each other on one row, oldest first, with a vacant week between them."""
    ends = _event_days(turn, turns, seed, calendar, "rolling")
    starts = [HISTORY_BEGINS, *(on_or_after(calendar, end + _VACANT) for end in ends)]
    return [
        _company(row, f"Q{_letters(turn, generation)}", dice.label(seed, "rolling", row, generation), first, ended)
        for generation, (first, ended) in enumerate(zip(starts, [*ends, None], strict=True))
    ]


def renaming_row(row: int, turn: int, turns: int, seed: int, calendar: TradingCalendar) -> list[Listing]:
    """One company under its successive symbols, oldest first, without a day between them."""
    changes = _event_days(turn, turns, seed, calendar, "renaming")
    entity = dice.label(seed, "renaming", row)
    starts = [HISTORY_BEGINS, *changes]
    return [
        msgspec.structs.replace(
            _company(row, f"Z{_letters(turn, generation)}", entity, first, ended),
            listed_day=HISTORY_BEGINS,
            renamed=True,
        )
        for generation, (first, ended) in enumerate(zip(starts, [*changes, None], strict=True))
    ]


def _event_days(turn: int, turns: int, seed: int, calendar: TradingCalendar, topic: str) -> list[dt.date]:
    periods = range(FIRST_PERIOD, last_period(calendar) + 1)
    return [event_day(calendar, seed, period, topic) for period in periods if period % turns == turn]


def _company(row: int, symbol: str, entity: int, first: dt.date, ended: dt.date | None) -> Listing:
    # Price and trading belong to the row, because the day's vectors do; the rest to the company.
    return Listing(
        row=row,
        symbol=symbol,
        ticker_type="CS",
        name=f"{company_name(entity)} Inc. Common Stock",
        exchange="XNAS",
        sic=industry_code(entity, "CS"),
        entity=entity,
        listed_day=first,
        first_day=first,
        ended_day=ended,
        price=12.0,
        trades_a_day=1500.0,
        shares=share_count(entity),
    )


def _letters(turn: int, generation: int) -> str:
    # Five letters that begin with Q or Z are never drawn for the listings that stay.
    text = chr(ord("A") + turn)
    for _ in range(3):
        generation, place = divmod(generation, 26)
        text += chr(ord("A") + place)
    return text
