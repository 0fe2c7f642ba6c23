"""Weighs the stored dividends that a list of dividends lacks: a list that was cut, or lost rows, takes nothing back.

A dividend that the price shows stays, unless the list has another of its company on that day, or the same amount on a
day nearby: then it was corrected, and its price is that of the other one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import msgspec

from consumer.vendor.errors import BadAnswer
from consumer.vendor.rows import SetAside
from market.dividend_check import Sight
from market.dividends import Dividend

# From this many stored dividends on, a list with far fewer was cut; below, they may all have been taken back.
ENOUGH_DIVIDENDS = 10
SMALLEST_SHARE = 0.7
# A dividend whose ex-day is corrected moves by no more.
NEAR = dt.timedelta(days=10)
_NAMED = 5


class DividendList(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor lists for the ex-days *since*…*until*, and what of that could not be read."""

    rows: Sequence[Dividend]
    set_aside: Sequence[SetAside]
    since: dt.date
    until: dt.date

    @property
    def may_have_lost(self) -> Collection[str | None]:
        """The symbols of which a whole row was set aside; None: of one that nobody knows."""
        return {one.symbol for one in self.set_aside if one.field is None}


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the stored dividends that a list lacks, and what is to be told of it."""

    gone: list[Dividend]
    told: tuple[str, ...]


def refuse_a_cut(stored: int, listed: DividendList) -> None:
    """Raise BadAnswer where far fewer are listed than the *stored* ones of the same days."""
    if stored >= ENOUGH_DIVIDENDS and len(listed.rows) < SMALLEST_SHARE * stored:
        asked = f"{listed.since}..{listed.until}"
        raise BadAnswer(f"{len(listed.rows)} dividends for {asked} where {stored} are stored: nothing changed")


def weigh(stored: Sequence[tuple[Dividend, Sight]], listed: DividendList) -> Weighed:
    """Say which of the *stored* ones of its days go, since *listed* lacks them."""
    there = {_key(one) for one in listed.rows}
    by_symbol: dict[str, list[Dividend]] = {}
    for one in listed.rows:
        by_symbol.setdefault(one.symbol, []).append(one)
    unread = listed.may_have_lost
    gone: list[Dividend] = []
    kept: list[str] = []
    for one, sight in stored:
        if _key(one) in there:
            continue
        if one.symbol in unread or None in unread:
            kept.append(f"{one} (a row that may be its was set aside)")
        elif sight is Sight.SHOWN and not any(_replaces(other, one) for other in by_symbol.get(one.symbol, [])):
            kept.append(f"{one} (the price shows it)")
        else:
            gone.append(one)
    taken_back = _line("are listed no more and were taken back", [str(one) for one in gone])
    return Weighed(gone=gone, told=(*_line("are missing in the list, and kept", kept), *taken_back))


def _key(one: Dividend) -> tuple[object, ...]:
    return one.symbol, one.ex_day, one.payment


def _replaces(other: Dividend, one: Dividend) -> bool:
    if other.ex_day == one.ex_day:
        return True
    return abs(other.ex_day - one.ex_day) <= NEAR and (other.amount, other.currency) == (one.amount, one.currency)


def _line(what: str, named: Sequence[str]) -> tuple[str, ...]:
    """One line of many; the first few by their names."""
    if not named:
        return ()
    others = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return (f"dividends: {len(named)} {what}: {', '.join(sorted(named)[:_NAMED])}{others}",)


def told_of(what: str, dividends: Sequence[Dividend]) -> tuple[str, ...]:
    """Say *what* of all of these in one line; nothing where there are none."""
    return _line(what, [str(one) for one in dividends])
