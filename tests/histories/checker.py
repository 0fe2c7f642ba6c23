"""Judges a history: what breaches the promises of delivery and of the verdict, with the records that show it.

Pure, and independent of the product: it imports nothing of it, so no mistake of the product can be made here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.histories import ledger_rules, message_rules, verdict_rules
from tests.histories.records import History, Record, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_SHOWN = 40


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of a history.

    *at_rest*: everything has come to its end. *bound*: how long a published verdict may stay behind the ledger; None:
    until the history is at rest.
    """

    at_rest: bool = True
    bound: float | None = None


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that does not hold: the rule's name, what is wrong, and the records that it is about."""

    rule: str
    text: str
    shown: tuple[Record, ...]

    def lines(self) -> list[str]:
        """What people are shown: the part of the history that it is about, in order."""
        return [f"{self.rule}: {self.text}", *(told(record) for record in self.shown[-MOST_SHOWN:])]


Found = tuple[str, tuple[Record, ...]]
RULES: dict[str, Callable[[History, Terms], Iterator[Found]]] = {
    "a part commits once in a pass": ledger_rules.commits_once,
    "fences only grow": ledger_rules.fences_grow,
    "rows are written under the newest fence": ledger_rules.newest_fence_writes,
    "what has ended stays ended": ledger_rules.ended_stays_ended,
    "everything comes to its end": ledger_rules.everything_ends,
    "only its holder ends a message": message_rules.holder_ends,
    "a message goes after its part has ended": message_rules.goes_after_its_end,
    "a request goes after it was served or refused": message_rules.request_is_served,
    "every request comes to an end": message_rules.requests_end,
    "a verdict never precedes its rows": verdict_rules.never_precedes_its_rows,
    "a verdict never stays whole after a finding": verdict_rules.never_whole_after_a_finding,
    "a verdict is not left older than one before it": verdict_rules.never_left_older,
}


def breaches(history: History, terms: Terms) -> list[Breach]:
    """Return every breach, rule by rule."""
    return [
        Breach(rule=name, text=text, shown=shown)
        for name, rule in RULES.items()
        for text, shown in rule(history, terms)
    ]
