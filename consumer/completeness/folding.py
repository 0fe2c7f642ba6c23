"""Folds equal neighbours among sessions into spans, so that a missing year is one line.  Pure.

Equal is what a person would see to in the same way: the same state of the same data set, from the same source. Where
something lacks in part, sessions are equal only where the same number lacks. Data sets that are missing over the same
sessions share their span.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.completeness.sessions import SessionCoverage
from consumer.verdict.states import SessionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from market.trading_calendar import TradingCalendar

COUNTED = ("expected", "loaded", "empty", "unproven", "missing", "set_aside", "restated")


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions from *first* to *last*, all of which are so; *rows* newest first, of every one of *data_sets*."""

    first: dt.date
    last: dt.date
    data_sets: tuple[str, ...]
    rows: tuple[SessionCoverage, ...]

    @property
    def sessions(self) -> int:
        return len({row.trading_day for row in self.rows})

    @property
    def like(self) -> SessionCoverage:
        """The newest of them."""
        return self.rows[0]

    def between(self, count: str) -> tuple[int, int]:
        """The least and the most of *count*, one of COUNTED."""
        counts = [getattr(row.one, count) for row in self.rows]
        return min(counts), max(counts)


def folded(rows: Iterable[SessionCoverage], calendar: TradingCalendar) -> list[Folded]:
    """Return the spans, newest first, in the order in which their data sets came."""
    by_set: dict[str, list[SessionCoverage]] = {}
    for row in rows:
        by_set.setdefault(row.one.data_set, []).append(row)
    spans = [span for own in by_set.values() for span in _spans(own, calendar)]
    order = {name: place for place, name in enumerate(by_set)}
    joined = _joined(spans)
    return sorted(joined, key=lambda one: (-one.last.toordinal(), -one.first.toordinal(), order[one.data_sets[0]]))


def _spans(rows: Sequence[SessionCoverage], calendar: TradingCalendar) -> Iterable[Folded]:
    """The spans of one data set."""
    run: list[SessionCoverage] = []
    for row in sorted(rows, key=lambda each: each.trading_day, reverse=True):
        if run and not (_alike(run[-1], row) and calendar.previous_trading_day(run[-1].trading_day) == row.trading_day):
            yield _span(run)
            run = []
        run.append(row)
    if run:
        yield _span(run)


def _span(rows: Sequence[SessionCoverage]) -> Folded:
    return Folded(
        first=rows[-1].trading_day, last=rows[0].trading_day, data_sets=(rows[0].one.data_set,), rows=tuple(rows)
    )


def _alike(one: SessionCoverage, other: SessionCoverage) -> bool:
    return _kind(one) == _kind(other)


def _kind(row: SessionCoverage) -> tuple[object, ...]:
    one = row.one
    lacking = (one.missing, one.unproven) if one.state is SessionState.PARTIAL else ()
    return (one.state, row.is_gap, one.outdated, one.later, one.beside, one.source, *lacking)


def _joined(spans: Iterable[Folded]) -> list[Folded]:
    """Data sets that are missing over the same sessions, in one."""
    found: list[Folded] = []
    missing: dict[tuple[object, ...], int] = {}
    for span in spans:
        if span.like.one.state is not SessionState.MISSING:
            found.append(span)
            continue
        where = (span.first, span.last, span.like.is_gap, span.like.one.later)
        if where in missing:
            known = found[missing[where]]
            found[missing[where]] = msgspec.structs.replace(
                known, data_sets=(*known.data_sets, *span.data_sets), rows=(*known.rows, *span.rows)
            )
        else:
            missing[where] = len(found)
            found.append(span)
    return found
