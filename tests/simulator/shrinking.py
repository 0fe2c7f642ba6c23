"""Looks for a shorter schedule with the same fate: plays the seed again with one fault after the other left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tests.simulator.faults import Choice
    from tests.simulator.ground import Ground, Outcome

MOST_TRIES = 60


def shrink(made: Ground, failed: Outcome, choice: Choice, *, mutant: str | None) -> tuple[Outcome, Choice]:
    """Return the failure with the fewest faults that was found, and what to play to see it again."""
    shortest, tries = failed, 0
    progress = True
    while progress and tries < MOST_TRIES:
        progress = False
        for number in shortest.faults:
            tries += 1
            less = msgspec.structs.replace(choice, without=choice.without | {number})
            outcome = made.play(failed.seed, mutant=mutant, choice=less)
            if outcome.violation is not None:
                choice, shortest, progress = less, outcome, True
                break
    return shortest, choice
