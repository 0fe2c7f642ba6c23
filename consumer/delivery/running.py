"""Holds one delivery under way: the task of its handler, and why that was told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from consumer.delivery.entries import Outgoing, Received
    from consumer.delivery.errors import DeliveryError

T = TypeVar("T")


class Running:
    """What an executor knows of one of its slots."""

    def __init__(self, received: Received) -> None:
        self.entry = received.entry
        self.received = received
        self.begun_at = asyncio.get_running_loop().time()
        self.told: DeliveryError | None = None
        self.handed_back = False
        self.deliveries: int | None = None  # once it has begun
        self.work: asyncio.Task[list[Outgoing]] | None = None

    def tell(self, why: DeliveryError) -> None:
        """Only once: a second cancellation would hit what the handler does to end cleanly."""
        if self.told is None:
            self.told = why
            if self.work is not None:
                self.work.cancel()

    @property
    def at_work(self) -> bool:
        return self.work is not None and not self.work.done()


def end_of(work: asyncio.Task[T]) -> asyncio.Future[None]:
    """What `asyncio.wait({work})` gives, more cheaply: cancelling the wait leaves *work* alone."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(_: asyncio.Task[T]) -> None:
        # Whoever waited may have been cancelled meanwhile: a future that is done takes no result.
        if not ended.done():
            ended.set_result(None)

    work.add_done_callback(note)
    return ended
