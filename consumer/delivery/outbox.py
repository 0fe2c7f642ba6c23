"""Sends what a ledger has committed: commit first, send after, and send again whatever may not have been sent.

No transaction holds a database and Redis together, so a message is never sent before its work is committed, and may be
lost between the two. What the commit of a delivery has released, its handler gives back, and it is sent in one step
with the acknowledgement (settle.lua); what a crash, a lost reply or a lost Redis kept from being sent comes from here,
at any time and from anybody. Nothing is marked as sent, for no such mark could be right at every instant: unsent is
whatever the ledger says is to be done, and of what is under way already the stream takes no second message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.delivery.entries import Outgoing
    from consumer.delivery.task_stream import TaskStream


class Outbox(Protocol):
    """What is committed and to be done, as the ledger says it."""

    async def unsent(self, *, now: dt.datetime) -> Sequence[Outgoing]:
        """Return the messages of all work that somebody should run now, each under its key, sent or not."""


async def resend(stream: TaskStream, outbox: Outbox, *, now: dt.datetime) -> int:
    """Send what is to be done and not under way; how many messages that was. Harmless at any time and in any number.

    Call it after a commit that no delivery acknowledges, and now and then: nothing else makes up for a lost message.
    """
    return await stream.enqueue(await outbox.unsent(now=now))
