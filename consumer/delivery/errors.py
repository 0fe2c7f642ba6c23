"""Names what a stopped piece of work asks delivery to do next.

DeliveryError
├── LeaseLost           another consumer holds the entry: stop, touch nothing
│   └── LeaseUncertain  Redis did not answer for most of a lease: stop; if it is still ours, this does not count
├── ShutdownRequested   release the entry, this delivery does not count
├── Busy                the work must wait its turn: park it, not an attempt
├── DataRejected        trying again cannot help: dead letter at once
│   └── PoisonedEntry   handed out too often without an end
├── DeadlinePassed      the work took too long: a failed attempt
└── StrayCancellation   the work was cancelled, and not by us: a failed attempt
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


class DeliveryError(Exception):
    """Base of what a handler may raise on purpose."""


class LeaseLost(DeliveryError):
    """The entry, or the fence of its work, belongs to somebody else now."""


class LeaseUncertain(LeaseLost):
    """Nobody can say whether the lease was kept: Redis does not answer."""


class ShutdownRequested(DeliveryError):
    """This consumer is stopping."""


class Busy(DeliveryError):
    """The work has to wait for other work; *delay* says how long before it is tried again."""

    def __init__(self, reason: str, *, delay: dt.timedelta) -> None:
        super().__init__(reason)
        self.delay = delay


class DataRejected(DeliveryError):
    """The message or its data is wrong; the text names the cure."""


class PoisonedEntry(DataRejected):
    """The entry was handed out too often without an end: it may kill or wedge its consumer."""


class DeadlinePassed(DeliveryError):
    """The work did not end within its deadline."""


class StrayCancellation(DeliveryError):
    """Something that the work awaited was cancelled by somebody else."""
