"""Says why the trading calendar refuses to answer.

    CalendarError
    ├── OutsideHorizon    the day is earlier or later than the calendar knows
    ├── NotATradingDay    the exchange is shut on that day
    └── BadOverrides      the operator's file cannot be followed

Every message is for a person and names the cure.
"""

import datetime as dt
from collections.abc import Sequence


class CalendarError(Exception):
    """Root of this tree; raised itself when the calendar's own source or settings make no sense."""


class OutsideHorizon(CalendarError):
    """A guess about an unknown year would be silently wrong one day, so there is none."""

    def __init__(self, day: dt.date, first_day: dt.date, last_day: dt.date) -> None:
        ask = "install a newer release, whose calendar reaches further" if day > last_day else "ask for a later day"
        cure = f"{ask}; if the present is meant, set this machine's clock"
        super().__init__(f"{day} is outside the trading calendar ({first_day} to {last_day}): {cure}")
        self.day = day


class NotATradingDay(CalendarError):
    """A session was asked for on a day without one."""

    def __init__(self, day: dt.date, closure: str) -> None:
        super().__init__(f"{day} is not a trading day ({closure}): name a day with a session")
        self.day = day


class BadOverrides(CalendarError):
    """Lists every problem of the overrides at once; none of them is applied."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the calendar overrides cannot be used: " + "; ".join(problems))
        self.problems = tuple(problems)
