"""Reads dates and switches from a request's path and parameters, refusing what the vendor refuses."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from market.trading_calendar import NEW_YORK
from simulated_market.vendor_errors import bad_request, unparseable_date

if TYPE_CHECKING:
    from collections.abc import Mapping


def day_field(name: str, text: str) -> dt.date:
    """A date written YYYY-MM-DD."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            return dt.date.fromisoformat(text)
    except ValueError as error:
        raise unparseable_date(name, text) from error
    raise unparseable_date(name, text)


def optional_day(query: Mapping[str, str], name: str) -> dt.date | None:
    return day_field(name, query[name]) if query.get(name) else None


def instant_field(name: str, text: str, *, end_of_day: bool) -> int:
    """Milliseconds: written so, or a date, which means its first or its last millisecond in New York."""
    if text.isdecimal() and len(text) > 8:
        return int(text)
    day = day_field(name, text) + dt.timedelta(days=end_of_day)
    return int(dt.datetime.combine(day, dt.time(), tzinfo=NEW_YORK).timestamp()) * 1000 - end_of_day


def switch(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A parameter that is true or false."""
    text = query.get(name, "true" if default else "false").lower()
    if text not in ("true", "false"):
        raise bad_request(f"The parameter '{name}' must be true or false, not '{text}'")
    return text == "true"
