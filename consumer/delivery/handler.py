"""Says what a worker runs, within which bounds and in what surroundings: what whoever uses delivery fills in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

import msgspec

from consumer.delivery.entries import Delivery
from consumer.delivery.settle import Settlement
from consumer.delivery.trouble import FirstAndLast, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.delivery.entries import Entry, Outgoing, Received, Refusal, Work
    from consumer.delivery.settle import Policy


class Handler(Protocol):
    """What the worker runs: reads, does and records the work of an entry."""

    def read(self, entry: Entry) -> Work:
        """Return what *entry* asks for. The only place where a message is decoded; raises nothing."""

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        """Return the message that tries the work again, under a key."""

    def put_off(self, received: Received) -> Outgoing:
        """Return the message as it is, under a key, for a newer worker; it keeps count of deliveries without an end."""

    def classify(self, failure: BaseException) -> Policy: ...

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        """Return the fields of the dead letter."""

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        """Record many refusals at once; return the entries that are to have a copy on the dead letters' stream."""

    async def taken_over(self, delivery: Delivery) -> None:
        """Tell that *delivery* was taken over from a consumer that is gone; once a delivery, before it is run."""

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        """Do the work and commit it; return what that commit has released, to be sent with the acknowledgement."""

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        """Write down how the work stopped; return what may go on without it."""


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """*slots*: entries at a time; *max_deliveries*: times an entry may kill or lose its consumer; *newer_again*: after
    how long a message that only a newer worker knows is looked at again."""

    slots: int = 4
    max_attempts: int = 5
    max_deliveries: int = 5
    deadline: dt.timedelta = dt.timedelta(minutes=30)
    newer_again: dt.timedelta = dt.timedelta(seconds=30)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Clock and chance of one worker, and whom it tells: *on_lost* that Redis may have lost messages, *on_settled*
    how a delivery ended, *trouble* that Redis is away."""

    now: Callable[[], dt.datetime]
    random: Random = msgspec.field(default_factory=Random)
    on_lost: Callable[[], None] = lambda: None
    on_settled: Callable[[Delivery, Settlement], None] = lambda _delivery, _settlement: None
    trouble: Trouble = msgspec.field(default_factory=lambda: FirstAndLast("redis_not_reachable"))
