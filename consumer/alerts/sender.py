"""Delivers what is to be told outside, from the ledger: each message until its receiver has taken it.

Every consumer runs it; of several one takes a message. Whatever a receiver or the network does, the work goes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from loguru import logger

from consumer.alerts.receivers import NotTaken
from consumer.postgres import alert_messages
from consumer.postgres.pool import POSTGRES_ERRORS
from process.trouble import Trouble

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from consumer.alerts.receivers import Receiver
    from consumer.postgres.pool import Pool

EVERY_S = 5.0


class Sender:
    """The sender of one consumer."""

    def __init__(self, pool: Pool, receivers: Sequence[Receiver], *, now: Callable[[], dt.datetime]) -> None:
        self._pool = pool
        self._receivers = receivers
        self._now = now

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        trouble = Trouble("alerts_postponed")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            while True:
                try:
                    await self.look(http)
                    trouble.over()
                except POSTGRES_ERRORS as error:
                    trouble.met(error)
                await asyncio.sleep(EVERY_S)

    async def look(self, http: aiohttp.ClientSession) -> int:
        """Deliver what is due; return how many were taken. Raises what a PostgreSQL that is away raises."""
        taken = 0
        for receiver in self._receivers:
            while (outcome := await self._deliver_one(http, receiver)) is not None:
                taken += outcome
        return taken

    async def _deliver_one(self, http: aiohttp.ClientSession, receiver: Receiver) -> bool | None:
        """Whether the oldest message was taken; None where none is due."""
        message = await alert_messages.take(self._pool, receiver.channel, now=self._now())
        if message is None:
            return None
        log = logger.bind(channel=receiver.channel.value, kind=message.kind, tries=message.tries)
        try:
            await receiver.deliver(http, message, now=self._now())
        except NotTaken as error:
            over = message.made_at + receiver.give_up_after <= self._now()
            give_up_at = self._now() if over else None
            await alert_messages.not_delivered(self._pool, message.message_id, str(error), give_up_at=give_up_at)
            if over:
                log.error("alert_given_up", reason=str(error), runbook="alert-not-delivered")
            else:
                log.warning("alert_not_delivered", reason=str(error), runbook="alert-not-delivered")
            return False
        await alert_messages.delivered(self._pool, message.message_id, now=self._now())
        log.debug("alert_delivered")
        return True
