"""Says in words what a new plan would do, with the reasons why it was not done; and counts warnings.  Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.catalogue.registry import DATA_SETS, data_set_of, kind_of
from consumer.data_sets.declaration import Asked
from consumer.postgres.states import PartState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.data_sets.declaration import Excuses
    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan
    from consumer.postgres.part_outcomes import EndedPart


def describe_missing(
    situation: Situation, parts: Sequence[PartPlan], ended: Sequence[EndedPart], excuses: Excuses
) -> list[str]:
    """Say in words what *parts* would bring, with the reason a part of the same name ended without it."""
    asked, computed = [part for part in parts if not _is_computed(part)], [part for part in parts if _is_computed(part)]
    lines = _part_lines([part for part in asked if not _has_own_words(part)], ended)
    for one in DATA_SETS:
        if one.gap is not None and one.task in situation.terms.cycle.tasks:
            lines += one.gap(situation, [part for part in parts if data_set_of(part) is one], excuses)
    # What was computed from all there is goes on the list only when nothing else explains why it is planned again.
    done = {(part.task, part.part) for part in ended if part.state is PartState.DONE} if asked else set()
    return lines + _part_lines([part for part in computed if (part.task, part.part) not in done], ended)


def _is_computed(part: PartPlan) -> bool:
    """Whether it is computed from what was fetched, and so is planned again together with any of its inputs."""
    place = kind_of(part.task, part.part)
    return place is not None and place.kind.asked is Asked.NOBODY and not _has_own_words(part)


def _has_own_words(part: PartPlan) -> bool:
    """Whether its data set says itself what lacks: one that asks batches counts what they would fetch."""
    one = data_set_of(part)
    return one is not None and one.gap is not None


def _part_lines(parts: Sequence[PartPlan], ended: Sequence[EndedPart]) -> list[str]:
    """One line a part."""
    reasons = {(part.task, part.part): part.reason for part in ended if part.reason}
    lines = []
    for part in parts:
        reason = reasons.get((part.task, part.part))
        lines.append(f"{part.task} {part.part}" + (f": {reason}" if reason else ""))
    return lines


def summarised(warnings: Sequence[str], *, most: int = 20) -> list[str]:
    """Return the distinct warnings, most frequent first, with the rest as a count."""
    counts = Counter(warnings)
    lines = [text if count == 1 else f"{text} (x{count})" for text, count in counts.most_common(most)]
    return [*lines, f"and {len(counts) - most} more"] if len(counts) > most else lines
