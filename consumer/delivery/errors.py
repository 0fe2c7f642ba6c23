"""Names what a stopped piece of work asks delivery to do next.

DeliveryError
├── LeaseLost           another consumer holds the entry: stop, touch nothing
├── ShutdownRequested   release the entry, this delivery does not count
├── Busy                the work must wait its turn: park it, not an attempt
└── DataRejected        trying again cannot help: dead letter at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


class DeliveryError(Exception):
    """Base of what a handler may raise on purpose."""


class LeaseLost(DeliveryError):
    """The entry, or the fence of its work, belongs to somebody else now."""


class ShutdownRequested(DeliveryError):
    """This consumer is stopping."""


class Busy(DeliveryError):
    """The work has to wait for other work; *delay* says how long before it is tried again."""

    def __init__(self, reason: str, *, delay: dt.timedelta) -> None:
        super().__init__(reason)
        self.delay = delay


class DataRejected(DeliveryError):
    """The message or its data is wrong; the text names the cure."""
