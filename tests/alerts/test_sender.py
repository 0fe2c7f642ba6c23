"""What is to be told is delivered from the ledger: through faults, once over restarts, no secret in a log."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from loguru import logger

from consumer.alerts.receivers import Receiver, receivers
from consumer.alerts.sender import Sender
from consumer.postgres import alert_messages
from consumer.postgres.alert_messages import Channel, Message
from tests.cycle.stack import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Pool
    from tests.alerts.receiving import Receiving

AT = dt.datetime(2025, 11, 11, 23, 0, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(AT)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


def message(name: str = "missed/1", *, kind: str = "deadline_missed", channel: Channel = Channel.WEBHOOK) -> Message:
    return Message(name=name, channel=channel, kind=kind, body=json.dumps({"text": name}), made_at=AT)


def sender(pool: Pool, clock: Clock, *receivers: Receiver) -> Sender:
    return Sender(pool, receivers, now=clock)


def webhook(receiver: Receiving, **changes: str) -> Receiver:
    return receivers(changes.get("url", receiver.url), changes.get("secret"), None)[0]


def pings(receiver: Receiving, url: str | None = None) -> Receiver:
    return receivers(None, None, url or receiver.url)[0]


async def test_a_message_is_delivered_signed_and_never_again(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    await alert_messages.put(pool, message())
    await alert_messages.put(pool, message())  # said before
    assert await sender(pool, clock, webhook(receiver, secret="open sesame")).look(http) == 1
    clock.advance(days=2)
    assert await sender(pool, clock, webhook(receiver, secret="open sesame")).look(http) == 0  # a restart
    (told,) = receiver.told
    signed = f"{told.headers['webhook-id']}.{told.headers['webhook-timestamp']}.".encode() + told.body
    expected = base64.b64encode(hmac.new(b"open sesame", signed, hashlib.sha256).digest()).decode()
    assert told.headers["webhook-signature"] == f"v1,{expected}"
    assert told.headers["webhook-timestamp"] == str(int(AT.timestamp()))
    assert json.loads(told.body) == {"text": "missed/1"}
    assert told.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [500, 503, 404, 302])
async def test_what_is_not_taken_is_tried_again_after_pauses_that_grow_until_it_is(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession, status: int
) -> None:
    await alert_messages.put(pool, message())
    told = sender(pool, clock, webhook(receiver))
    receiver.status = status
    tried_at = []
    for _ in range(60):
        before = len(receiver.told)
        assert await told.look(http) == 0
        if len(receiver.told) > before:
            tried_at.append((clock() - AT).total_seconds())
        clock.advance(seconds=15)
    assert tried_at == [0, 30, 90, 210, 450]
    receiver.status = 204
    clock.advance(hours=1)
    assert await told.look(http) == 1
    assert {one.headers["webhook-id"] for one in receiver.told} == {receiver.told[0].headers["webhook-id"]}


async def test_a_sender_that_dies_amid_a_delivery_leaves_it_to_the_next_try(pool: Pool, clock: Clock) -> None:
    await alert_messages.put(pool, message())
    taken = await alert_messages.take(pool, Channel.WEBHOOK, now=clock())
    assert taken is not None  # and he who took it dies
    assert await alert_messages.take(pool, Channel.WEBHOOK, now=clock()) is None
    clock.advance(seconds=30)
    again = await alert_messages.take(pool, Channel.WEBHOOK, now=clock())
    assert again is not None
    assert (again.message_id, again.tries) == (taken.message_id, 2)


async def test_of_several_senders_one_delivers_a_message(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    for number in range(5):
        await alert_messages.put(pool, message(f"missed/{number}"))
    senders = [sender(pool, clock, webhook(receiver)) for _ in range(3)]
    assert sum(await asyncio.gather(*(one.look(http) for one in senders))) == 5
    assert sorted(json.loads(told.body)["text"] for told in receiver.told) == [
        f"missed/{number}" for number in range(5)
    ]


async def test_after_three_days_a_message_is_given_up_with_an_error_that_names_the_runbook(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    await alert_messages.put(pool, message())
    receiver.status = 500
    clock.advance(days=3)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message} {extra}")
    try:
        told = sender(pool, clock, webhook(receiver))
        await told.look(http)
        clock.advance(days=1)
        await told.look(http)
    finally:
        logger.remove(sink)
    assert len(receiver.told) == 1
    (line,) = [line for line in lines if line.startswith("ERROR")]
    assert "alert_given_up" in line
    assert "'runbook': 'alert-not-delivered'" in line


async def test_pings_go_where_healthchecks_wants_them(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    told = sender(pool, clock, pings(receiver))
    for kind in ("start", "fail", "success"):
        await alert_messages.put(pool, message(kind, kind=kind, channel=Channel.PING))
        assert await told.look(http) == 1
    path = "/secret-path-of-mine/17"
    assert [one.path for one in receiver.told] == [f"{path}/start", f"{path}/fail", path]


async def test_a_ping_keeps_the_parameters_of_its_address(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    await alert_messages.put(pool, message(kind="fail", channel=Channel.PING))
    await sender(pool, clock, pings(receiver, f"{receiver.url}?create=1")).look(http)
    assert receiver.told[0].path == "/secret-path-of-mine/17/fail?create=1"


async def test_a_ping_that_was_not_taken_gives_way_to_a_newer_one(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    told = sender(pool, clock, pings(receiver))
    receiver.status = 500
    await alert_messages.put(pool, message("start", kind="start", channel=Channel.PING))
    await told.look(http)
    await alert_messages.put(pool, message("success", kind="success", channel=Channel.PING))
    receiver.status = 200
    clock.advance(hours=1)
    assert await told.look(http) == 1
    assert [one.path.rpartition("/")[2] for one in receiver.told] == ["start", "17"]


async def test_a_receiver_that_is_not_there_is_a_warning_without_its_address(
    pool: Pool, clock: Clock, http: aiohttp.ClientSession
) -> None:
    await alert_messages.put(pool, message())
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message} {extra}")
    try:
        nobody = receivers("http://127.0.0.1:9/services/T0/B0/very-secret", None, None)[0]
        assert await sender(pool, clock, nobody).look(http) == 0
    finally:
        logger.remove(sink)
    (line,) = [line for line in lines if line.startswith("WARNING")]
    assert "ClientConnectorError" in line
    assert "very-secret" not in "".join(lines)
    assert "very-secret" not in str(await pool.fetchval("SELECT last_answer FROM alert_message"))


async def test_a_receiver_that_was_away_hears_of_things_in_the_order_in_which_they_happened(
    pool: Pool, receiver: Receiving, clock: Clock, http: aiohttp.ClientSession
) -> None:
    told = sender(pool, clock, webhook(receiver))
    receiver.status = 500
    await alert_messages.put(pool, message("missed/1"))
    for _ in range(8):  # its pause has grown to an hour
        await told.look(http)
        clock.advance(minutes=40)
    receiver.status = 200
    receiver.told.clear()
    clock.advance(minutes=-20)
    await alert_messages.put(pool, message("made-good/1", kind="deadline_made_good"))
    for _ in range(3):
        await told.look(http)
        clock.advance(minutes=40)
    assert [json.loads(one.body)["text"] for one in receiver.told] == ["missed/1", "made-good/1"]
