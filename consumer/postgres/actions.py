"""Keeps what persons did: what they asked for or decided, with who and why, written with what it changes.

A request that goes through the stream is noted by the worker that takes it, under the entry's own name, so that it
stands here once however often it is delivered, and whoever sent it: a command, HTTP, the page, or XADD by hand.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Connection, Pool

_COLUMNS = "action_id, acted_at, action, author, reason, via, about, trading_day, first_day, request, cycle_id"


class Act(StrEnum):
    """What a person does."""

    TRIGGER = "trigger"
    BACKFILL = "backfill"
    CANCEL = "cancel"
    REPLAY = "replay"  # dead letters
    DROP = "drop"
    ACCEPT = "accept"  # a finding, a boundary
    REJECT = "reject"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted of it: *about* says of what, in words."""

    act: Act
    about: str
    trading_day: dt.date | None = None
    first_day: dt.date | None = None
    request: str | None = None
    cycle_id: int | None = None


class KeptAction(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `operator_action`."""

    action_id: int
    acted_at: dt.datetime
    action: str
    author: str
    reason: str | None
    via: str
    about: str
    trading_day: dt.date | None
    first_day: dt.date | None
    request: str | None
    cycle_id: int | None


# Delivered again, a request is the same action; the cycle that serves it is known later than that it was made.
_NOTE = """
INSERT INTO operator_action AS a (acted_at, action, author, reason, via, about, trading_day, first_day, request,
                                  cycle_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (request) DO UPDATE SET cycle_id = excluded.cycle_id
    WHERE excluded.cycle_id IS NOT NULL AND a.cycle_id IS DISTINCT FROM excluded.cycle_id
"""


async def note(connection: Connection | Pool, action: Action, decision: Decision) -> None:
    """Write down what a person did; in the transaction of what it changes, where it changes something here."""
    await connection.execute(
        _NOTE,
        decision.at,
        str(action.act),
        decision.by,
        decision.reason,
        decision.via,
        action.about,
        action.trading_day,
        action.first_day,
        action.request,
        action.cycle_id,
    )


async def find(connection: Connection | Pool, *, most: int, before: int | None = None) -> list[KeptAction]:
    """Return the newest *most* actions, newest first; *before*: of those older than this one."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM operator_action WHERE ($2::bigint IS NULL OR action_id < $2) "
        "ORDER BY action_id DESC LIMIT $1",
        most,
        before,
    )
    return [KeptAction(**dict(row)) for row in rows]
