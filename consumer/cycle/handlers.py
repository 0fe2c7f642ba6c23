"""Maps the name of a part to what runs it: those of data sets and caches by their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.catalogue.registry import kind_of
from consumer.cycle import retention
from consumer.cycle.finish import finish_cycle
from consumer.cycle.opened_pass import plan_cycle
from consumer.delivery.errors import DataRejected

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartId
    from consumer.tasks.part import Handler

OF_A_PASS: dict[tuple[str, str], Handler] = {
    ("cycle", "plan"): plan_cycle,
    ("cycle", retention.NAME): retention.apply_retention,
    ("cycle", "finish"): finish_cycle,
}


def handler_of(part: PartId) -> Handler:
    """Return the handler of *part*. Raises DataRejected where there is none."""
    if handler := OF_A_PASS.get((part.task, part.part)):
        return handler
    place = kind_of(part.task, part.part)
    if place is None:
        raise DataRejected(f"part {part.part!r} of {part.task} is unknown: leave part and cycle out")
    return place.kind.run
