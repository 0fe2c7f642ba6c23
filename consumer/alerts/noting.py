"""Has what is to be told outside stored with the verdict that it tells of: both commit, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.alerts.wording import about, ping_message, start_message, webhook_messages
from consumer.postgres import alert_messages

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.missed_deadlines import Noted
    from consumer.postgres.pool import Connection, Pool
    from consumer.verdict.reading import Judged


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Which channels the operator has named; what goes to no channel is not stored."""

    webhook: bool = False
    ping: bool = False

    async def note(self, connection: Connection, judged: Judged, noted: Noted) -> None:
        """Store what *judged* asks to be told, in the transaction that publishes it."""
        messages = webhook_messages(noted, judged) if self.webhook else []
        if self.ping:
            said = await alert_messages.last_kind(connection, about(judged.serving))
            ping = ping_message(judged, said)
            messages += [] if ping is None else [ping]
        for message in messages:
            await alert_messages.put(connection, message)

    async def begun(self, pool: Pool, trading_day: dt.date, occasion: str, *, now: dt.datetime) -> None:
        """Store that a cycle has begun for a due time."""
        if self.ping:
            await alert_messages.put(pool, start_message(trading_day, occasion, now=now))


NOBODY = Alerts()
