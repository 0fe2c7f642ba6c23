"""Says what a worker runs and within which bounds: the side of delivery that whoever uses it fills in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.delivery.entries import Delivery, Entry, Outgoing
    from consumer.delivery.settle import Policy, Settlement
    from contract.reports import DeadLetter


class Handler(Protocol):
    """What the worker runs: decodes, does and records the work of an entry."""

    def key_of(self, entry: Entry) -> str: ...

    def attempt_of(self, entry: Entry) -> int: ...

    def waits_of(self, entry: Entry) -> int: ...

    def retry_of(self, entry: Entry, *, counted: bool, waits: int) -> Outgoing: ...

    def classify(self, failure: BaseException) -> Policy: ...

    def refusal_of(self, entry: Entry) -> str | None:
        """Why it is no message, where that can be said without asking anybody."""

    async def refuse_all(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Record many refusals at once; return the entries that are to have a copy on the dead letters' stream."""

    async def run(self, delivery: Delivery) -> list[Outgoing]: ...

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]: ...


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """*slots*: entries at a time; *max_deliveries*: times an entry may kill or lose its consumer."""

    slots: int = 4
    max_attempts: int = 5
    max_deliveries: int = 5
    deadline: dt.timedelta = dt.timedelta(minutes=30)
