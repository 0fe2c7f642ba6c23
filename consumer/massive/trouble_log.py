"""Says a failure of the vendor's once an endpoint and minute, with how many there were and one of them.

Eleven of a hundred answers may fail on a bad night: a line each would bury the log. The first is said at once, what
follows within a minute is counted, and each is a DEBUG line.
"""

from __future__ import annotations

import datetime as dt
from contextvars import Context
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = dt.timedelta(minutes=1)


class _Spell(msgspec.Struct, kw_only=True):
    """Failures of one kind since *told_at*: those not told yet, and the facts of the last of them."""

    told_at: float
    untold: int = 0
    facts: dict[str, object] = {}


class TroubleLog:
    """Counts between two lines; *clock* gives seconds."""

    def __init__(self, *, clock: Callable[[], float], every: dt.timedelta = EVERY) -> None:
        self._clock = clock
        self._every_s = every.total_seconds()
        self._spells: dict[tuple[str, str], _Spell] = {}

    def note(self, endpoint: str, what: str, **facts: object) -> None:
        """Count one failure at *endpoint*; *what* is the sentence that the log says."""
        logger.bind(endpoint=endpoint, **facts).debug(what)
        self.tell_due()
        spell = self._spells.setdefault((endpoint, what), _Spell(told_at=-self._every_s + self._clock()))
        spell.untold, spell.facts = spell.untold + 1, facts
        self.tell_due()

    def tell_due(self) -> None:
        """Say what was last said a minute ago or more."""
        now = self._clock()
        for key, spell in list(self._spells.items()):
            if now - spell.told_at >= self._every_s:
                self._tell(key, spell, now)

    def tell_rest(self) -> None:
        """Say all that is left: nothing more is asked for now."""
        for key, spell in list(self._spells.items()):
            self._tell(key, spell, self._clock())

    def _tell(self, key: tuple[str, str], spell: _Spell, now: float) -> None:
        endpoint, what = key
        if not spell.untold:
            del self._spells[key]  # a quiet minute: the next failure is news again
            return
        line = logger.bind(endpoint=endpoint, times=spell.untold, **spell.facts)
        Context().run(line.warning, what)  # not as of the part that happens to ask now: it is about all of them
        spell.told_at, spell.untold = now, 0
