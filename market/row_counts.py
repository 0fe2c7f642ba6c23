"""Says how many rows a session must have to be believed, from what the sessions around it had.

A cut answer looks like a small one. The market's size moves slowly, so the median of its neighbours is the measure: a
session may always have more rows (new listings), and after an early close some fewer.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping, Sequence

#: Sessions whose counts are looked at, those nearest to the one in question.
NEIGHBOURS = 10
_FEWEST_NEIGHBOURS = 3
_SHARE = 0.85
_SHARE_AFTER_EARLY_CLOSE = 0.75


def fewest_believable(before: Sequence[int], after: Sequence[int], *, early_close: bool) -> int:
    """Return the least believable number of rows, given the counts of sessions near by; 0 where they are too few.

    *before* and *after* are counts of up to NEIGHBOURS sessions on either side. Where both sides speak, the smaller
    one is the measure: a market that grew at once is no hole.
    """
    sides = [before, after] if min(len(before), len(after)) >= _FEWEST_NEIGHBOURS else [[*before, *after]]
    medians = [median(side) for side in sides if len(side) >= _FEWEST_NEIGHBOURS]
    if not medians:
        return 0
    share = _SHARE_AFTER_EARLY_CLOSE if early_close else _SHARE
    return int(min(medians) * share)


def fewest_on(day: dt.date, counts: Mapping[dt.date, int], *, early_close: bool) -> int:
    """Return the least believable number of rows of *day*, from the *counts* of other days."""
    before = [counts[other] for other in sorted(counts) if other < day][-NEIGHBOURS:]
    after = [counts[other] for other in sorted(counts) if other > day][:NEIGHBOURS]
    return fewest_believable(before, after, early_close=early_close)


def short_days(counts: Mapping[dt.date, int], early_closes: Collection[dt.date]) -> list[dt.date]:
    """Return the days of *counts* that have fewer rows than the days around them lead to expect."""
    return [day for day, count in counts.items() if count < fewest_on(day, counts, early_close=day in early_closes)]
