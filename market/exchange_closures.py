"""Reads the New York Stock Exchange's holidays and early closes out of the `holidays` package.

Gives plain dates and times, so that the package's habits stay in this file: half days are a category of
their own, their time stands only in an English name, and `holidays.US` is another calendar altogether.
"""

import datetime as dt
import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

import holidays

from market.calendar_errors import CalendarError

#: What a half day without a stated time means: the only early close scheduled since 1993.
USUAL_EARLY_CLOSE = dt.time(13, 0)

# Names are translated for other locales; the time can be read only from this spelling.
_LANGUAGE = "en_US"
_STATED_TIME = re.compile(r"\(markets close at (\d{1,2}):(\d{2})([ap])m\)")


@functools.cache
def closures(first_year: int, last_year: int) -> Mapping[dt.date, str]:
    """Full closures by day with their names; both years included. Weekends are not listed as such."""
    # One object per category: asked together, a half day would count as closed.
    public = holidays.financial_holidays("XNYS", years=range(first_year, last_year + 1), language=_LANGUAGE)
    return MappingProxyType(dict(public.items()))


@functools.cache
def early_closes(first_year: int, last_year: int) -> Mapping[dt.date, dt.time]:
    """Early closes by day with their New York time; both years included."""
    half_days = holidays.financial_holidays(
        "XNYS", years=range(first_year, last_year + 1), categories=("half_day",), language=_LANGUAGE
    )
    return MappingProxyType({day: early_close_time(day, name) for day, name in half_days.items()})


def early_close_time(day: dt.date, name: str) -> dt.time:
    """New York time in a half day's name; CalendarError for a bracketed remark that is not understood."""
    stated = _STATED_TIME.search(name)
    if stated is None:
        if "(" in name:
            raise CalendarError(
                f"the early close of {day} is named {name!r}, which states no readable time: "
                "install the version of the holidays package that this release was tested with"
            )
        return USUAL_EARLY_CLOSE
    hour, minute = int(stated[1]) % 12, int(stated[2])
    return dt.time(hour + 12 if stated[3] == "p" else hour, minute)
