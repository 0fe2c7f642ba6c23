"""Gives a handler all but its work: flat messages with a key and counts of their own, everything kept in Redis alone.

Who has a ledger overrides what has to be written there: `record`, `refuse_all`, and how failures are classified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.delivery.entries import NAMELESS, Outgoing, Work
from consumer.delivery.settle import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.delivery.entries import Delivery, Entry, Received, Refusal
    from consumer.delivery.settle import Settlement


class PlainHandler:
    """A handler of messages whose field `key` names their work; `attempt`, `waits` and `deliveries` are its own."""

    def read(self, entry: Entry) -> Work:
        attempt, waits, lost = (_count(entry.fields.get(name, "")) for name in ("attempt", "waits", "deliveries"))
        return Work(key=entry.fields.get("key", ""), attempt=max(1, attempt), waits=waits, lost=lost)

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        key = delivery.work.key or delivery.entry.entry_id
        again = {"key": key, "attempt": str(delivery.work.attempt + int(counted)), "waits": str(waits)}
        return Outgoing(fields={**delivery.entry.fields, **again}, key=key)

    def put_off(self, received: Received) -> Outgoing:
        entry, work = received.entry, received.work
        counted = {"deliveries": str(work.lost + entry.deliveries - 1)}
        return Outgoing(fields={**entry.fields, **counted}, key=work.key or f"{NAMELESS}{entry.entry_id}")

    def classify(self, failure: BaseException) -> Policy:
        return Policy.RETRY

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        head = {"entry_id": refusal.entry_id, "reason": refusal.reason, "at": refusal.at.isoformat()}
        return head | {f"field:{name}": value for name, value in refusal.fields.items()}

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        return [refusal.entry_id for refusal in refusals]

    async def taken_over(self, delivery: Delivery) -> None:
        """Nobody is told but the log."""

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        """Do the work; to be written by whoever uses this."""
        raise NotImplementedError

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        return []


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
