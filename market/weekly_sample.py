"""Chooses what of the stored data is fetched again in a week: a hundredth, the same whoever asks.  Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from random import Random

import msgspec

A_HUNDREDTH = 0.01
#: Of fewer stored sessions none is sampled: the window is asked for anew often enough.
FEWEST_SESSIONS = 60
#: Sessions of five-minute bars that one answer holds (50,000 minutes, 960 a session).
STRETCH = 52


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample can be of: sessions whose bars, and whose slots, are old enough, and symbols.

    *bars_taken*, *slots_taken*: that of the week was taken already.
    """

    sessions: Sequence[dt.date] = ()
    slot_sessions: Sequence[dt.date] = ()
    symbols: Sequence[str] = ()
    bars_taken: bool = False
    slots_taken: bool = False


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What is fetched again: sessions of bars, and of each symbol the slots from its first to its last day."""

    sessions: tuple[dt.date, ...] = ()
    symbols: Mapping[str, tuple[dt.date, dt.date]] = {}


def week_of(day: dt.date) -> dt.date:
    """The Monday of the week of *day*."""
    return day - dt.timedelta(days=day.weekday())


def choose(of: Candidates, week: dt.date, *, most: int) -> Sample:
    """Return what is left to take of the sample of the week that begins on *week*: a session or a symbol a request.

    All of it are *most* requests at most, whichever kind was taken first.
    """
    share = 0 if len(of.sessions) < FEWEST_SESSIONS else math.ceil(A_HUNDREDTH * len(of.sessions))
    sessions = Random(f"{week} bars").sample(list(of.sessions), min(share, most))
    symbols = {} if of.slots_taken else _stretches(of, week, most=most - len(sessions))
    return Sample(sessions=() if of.bars_taken else tuple(sorted(sessions)), symbols=symbols)


def _stretches(of: Candidates, week: dt.date, *, most: int) -> dict[str, tuple[dt.date, dt.date]]:
    if not of.slot_sessions:
        return {}
    count = min(int(A_HUNDREDTH * len(of.symbols)), most)
    found = {}
    for symbol in sorted(Random(f"{week} slots").sample(list(of.symbols), count)):
        first = Random(f"{week} {symbol}").randrange(len(of.slot_sessions))
        stretch = of.slot_sessions[first : first + STRETCH]
        found[symbol] = (stretch[0], stretch[-1])
    return found
