"""Keeps what is told outside until it is delivered: what is committed is sent, after a crash again.

A message is due from `next_try_at` on. Whoever takes one moves that on in the same statement, so that nobody else takes
it meanwhile, and it is tried again if he dies. It says that it was delivered only after the receiver has said so: twice
at the worst, and never not at all.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool

FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(hours=1)
LONGEST_ANSWER = 200


class Channel(StrEnum):
    """Where a message goes."""

    WEBHOOK = "webhook"
    PING = "ping"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said, once under its *name*."""

    name: str
    channel: Channel
    kind: str
    body: str
    made_at: dt.datetime


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is being delivered, for the *tries*th time."""

    message_id: int
    channel: Channel
    kind: str
    body: str
    made_at: dt.datetime
    tries: int


async def put(connection: Connection | Pool, message: Message) -> None:
    """Have *message* delivered, unless that was said before.

    It touches no other row: in the snapshot of who publishes, one that a sender has just changed cannot be.
    """
    await connection.execute(
        "INSERT INTO alert_message (name, channel, kind, body, made_at, next_try_at) VALUES ($1, $2, $3, $4, $5, $5) "
        "ON CONFLICT (name) DO NOTHING",
        message.name,
        message.channel.value,
        message.kind,
        message.body,
        message.made_at,
    )


async def last_kind(connection: Connection, about: str) -> str | None:
    """Return the kind of the newest message whose name begins with *about*."""
    # A few rows a day, and starts_with knows no order of letters that a database may have otherwise.
    found: str | None = await connection.fetchval(
        "SELECT kind FROM alert_message WHERE starts_with(name, $1) ORDER BY message_id DESC LIMIT 1", about
    )
    return found


# A newer ping makes those before it old news.
_OLD_PINGS = """
    UPDATE alert_message AS m SET given_up_at = $1, last_answer = 'a newer ping took its place'
    WHERE channel = 'ping' AND delivered_at IS NULL AND given_up_at IS NULL
      AND EXISTS (SELECT FROM alert_message AS newer WHERE newer.channel = 'ping' AND newer.message_id > m.message_id)
"""
# One after the other: a receiver that was away hears that something is missed before it hears that it came.
_TAKE = """
    UPDATE alert_message AS m
    SET tries = m.tries + 1, next_try_at = $2 + least($3::interval * power(2, least(m.tries, 10)), $4::interval)
    WHERE m.message_id = (
        SELECT message_id FROM alert_message AS o
        WHERE channel = $1 AND delivered_at IS NULL AND given_up_at IS NULL AND next_try_at <= $2
          AND NOT EXISTS (SELECT FROM alert_message AS older
                          WHERE older.channel = $1 AND older.delivered_at IS NULL AND older.given_up_at IS NULL
                            AND older.message_id < o.message_id)
        FOR UPDATE SKIP LOCKED)
    RETURNING m.message_id, m.channel, m.kind, m.body, m.made_at, m.tries
"""


async def take(pool: Pool, channel: Channel, *, now: dt.datetime) -> Taken | None:
    """Take the oldest message if it is due; it is due again after a pause that doubles with each try."""
    if channel is Channel.PING:
        await pool.execute(_OLD_PINGS, now)
    row = await pool.fetchrow(_TAKE, channel.value, now, FIRST_PAUSE, LONGEST_PAUSE)
    return None if row is None else Taken(**{**dict(row), "channel": Channel(row["channel"])})


async def delivered(pool: Pool, message_id: int, *, now: dt.datetime) -> None:
    await pool.execute("UPDATE alert_message SET delivered_at = $2 WHERE message_id = $1", message_id, now)


async def not_delivered(pool: Pool, message_id: int, why: str, *, give_up_at: dt.datetime | None) -> None:
    """Keep *why* it was not; with *give_up_at* it is not tried again."""
    await pool.execute(
        "UPDATE alert_message SET last_answer = $2, given_up_at = $3 WHERE message_id = $1",
        message_id,
        why[:LONGEST_ANSWER],
        give_up_at,
    )
