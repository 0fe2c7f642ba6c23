"""Says how a message is put to each receiver: where, with which headers; and whether its answer took it.

An address is a secret: whoever has it may post to it. It is never logged, and no error of a library that quotes it is.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from yarl import URL

from consumer.alerts.wording import FAIL, START
from consumer.postgres.alert_messages import Channel
from process.webhook_signing import headers_of

if TYPE_CHECKING:
    from consumer.postgres.alert_messages import Taken

TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
#: As healthchecks.io names them; success is the address itself.
_PATHS = {START: "start", FAIL: "fail"}


class NotTaken(Exception):
    """The receiver was not reached, or did not take the message; the text says why, without its address."""


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Where the messages of a channel go; they are tried for as long as *give_up_after*."""

    channel: Channel
    url: str
    secret: str | None = None
    give_up_after: dt.timedelta

    async def deliver(self, http: aiohttp.ClientSession, message: Taken, *, now: dt.datetime) -> None:
        """Post *message*. Raises NotTaken."""
        body = message.body.encode()
        url, headers = URL(self.url), {"Content-Type": "text/plain; charset=utf-8"}
        if self.channel is Channel.WEBHOOK:
            signed = headers_of(message.message_id, body, sent_at=int(now.timestamp()), secret=self.secret)
            headers = {"Content-Type": "application/json", **signed}
        elif (path := _PATHS.get(message.kind)) is not None:
            url = url.with_path(f"{url.raw_path.rstrip('/')}/{path}", encoded=True).with_query(url.query)
        try:
            async with http.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise NotTaken(f"it answers {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotTaken(f"it does not answer ({type(error).__name__})") from None


def receivers(webhook_url: str | None, webhook_secret: str | None, healthcheck_url: str | None) -> tuple[Receiver, ...]:
    """Return those that have an address. Old alerts are worth reading; an old ping says nothing any more."""
    found = []
    if webhook_url is not None:
        days = dt.timedelta(days=3)
        found.append(Receiver(channel=Channel.WEBHOOK, url=webhook_url, secret=webhook_secret, give_up_after=days))
    if healthcheck_url is not None:
        found.append(Receiver(channel=Channel.PING, url=healthcheck_url, give_up_after=dt.timedelta(hours=12)))
    return tuple(found)
