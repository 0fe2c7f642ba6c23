"""Lays the weekdays of a month out by weeks: the exchange never trades on the other two days.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.health_report.report import DayHealth

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")


def weeks(days: Sequence[DayHealth]) -> list[list[DayHealth | None]]:
    """Return rows from Monday to Friday; None where the day is of another month."""
    found: list[list[DayHealth | None]] = []
    for one in days:
        if not found or one.day.weekday() == 0:
            found.append([None] * len(WEEKDAYS))
        found[-1][one.day.weekday()] = one
    return found
