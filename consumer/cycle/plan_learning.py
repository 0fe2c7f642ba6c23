"""Learns from how parts end what the plan behind the key gives; it costs no request of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loguru import logger

from consumer.catalogue.registry import kind_of
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres import capabilities
from consumer.postgres.part_outcomes import is_kind_answered
from consumer.vendor.errors import NotEntitled, NotYetPublished, OutsidePlanTimeframe
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.ledger import PartId
    from consumer.tasks.part import Services


def capability_of(part: PartId, today: dt.date) -> Capability | None:
    """Return what *part* shows about the plan; that of *today*, New York time, whether it gives a day at once."""
    place = kind_of(part.task, part.part)
    shows = None if place is None else place.kind.shows
    if shows is Capability.SAME_DAY and part.part.partition(":")[2] != today.isoformat():
        return None
    return shows


class PlanLearner:
    """Writes down what the vendor gave or refused."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def part_loaded(self, part: PartId) -> None:
        """The vendor answered *part* with data."""
        now = self._services.now()
        capability = capability_of(part, now.astimezone(NEW_YORK).date())
        if capability is None:
            return
        evidence = f"{part.task} {part.part} was loaded"
        if await capabilities.note_given(self._services.pool, capability.value, evidence=evidence, now=now):
            logger.info("vendor_plan_gives", capability=capability.value, evidence=evidence)

    async def part_refused(self, part: PartId, failure: BaseException) -> None:
        """The vendor refused *part*; only a refusal of the plan says anything, and none beside answers of its kind."""
        now = self._services.now()
        capability = capability_of(part, now.astimezone(NEW_YORK).date())
        if capability is None or not _is_of_the_plan(failure, capability) or await self._is_answered(part, capability):
            return
        if await capabilities.note_refused(self._services.pool, capability.value, evidence=str(failure), now=now):
            logger.warning("vendor_plan_lacks", capability=capability.value, evidence=str(failure))

    async def _is_answered(self, part: PartId, capability: Capability) -> bool:
        """Whether the vendor has answered the same kind of part in this pass: then the plan has it.

        Not so for a day itself, of which there is one part: that other days are answered says nothing of it.
        """
        if capability is Capability.SAME_DAY:
            return False
        return await is_kind_answered(self._services.pool, part)


def _is_of_the_plan(failure: BaseException, capability: Capability) -> bool:
    if capability is Capability.SAME_DAY:
        return isinstance(failure, NotYetPublished)
    return isinstance(failure, NotEntitled) and not isinstance(failure, OutsidePlanTimeframe)
