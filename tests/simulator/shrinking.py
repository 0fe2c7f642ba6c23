"""Looks for a shorter schedule with the same fate: plays the seed again with one fault after the other left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulator.ground import Ground, Outcome

MOST_TRIES = 60


def shrink(
    made: Ground, failed: Outcome, *, mutant: str | None, without: Iterable[int] = ()
) -> tuple[Outcome, list[int]]:
    """Return the shortest failure found, and the faults that it does without."""
    left_out, shortest, tries = list(without), failed, 0
    progress = True
    while progress and tries < MOST_TRIES:
        progress = False
        for number in shortest.faults:
            tries += 1
            outcome = made.play(failed.seed, mutant=mutant, without=[*left_out, number])
            if outcome.violation is not None:
                left_out.append(number)
                shortest, progress = outcome, True
                break
    return shortest, sorted(left_out)
