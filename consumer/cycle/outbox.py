"""Is the ledger's side of delivery's outbox: which work is committed and to be done, as messages.

No row says "sent": an open part of a running cycle is unsent until it ends. Its message is never twice under way, so to
send what was sent already changes nothing (docs/decisions/0023-the-ledger-is-the-outbox.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.cycle.messages import part_message
from consumer.postgres import ledger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.delivery.entries import Outgoing
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection, Pool


class OpenParts:
    """The outbox of *cycles*: their open parts, also those being run, whose message may be lost; none of one that does
    not run."""

    def __init__(self, pool: Pool, cycles: Sequence[Cycle]) -> None:
        self._pool = pool
        self._cycles = cycles

    async def unsent(self, *, now: dt.datetime) -> list[Outgoing]:
        return [
            part_message(part, cycle.trading_day)
            for cycle in self._cycles
            for part in await ledger.dispatchable(self._pool, cycle.cycle_id, all_open=True)
        ]


async def ready_messages(connection: Connection | Pool, cycle: Cycle) -> list[Outgoing]:
    """What of *cycle* is ready and nobody has begun; sent with a settlement, it makes up for a crash right after the
    commit that released it."""
    ready = await ledger.dispatchable(connection, cycle.cycle_id)
    return [part_message(part, cycle.trading_day) for part in ready]
