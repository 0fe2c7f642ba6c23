"""Decides, once the bars are there, what a listing or the details had to leave open: who still trades, since when.

Runs before splits are held against prices and before anything is computed, so that the night's figures know of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import absence, coverage, identity, list_dates
from contract import data_sets
from market.companies import Kind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from market.companies import Change
    from market.identity import NextSession


async def check_identities(
    connection: Connection, *, day: dt.date, at: dt.datetime, load_id: int, next_session: NextSession
) -> list[str]:
    """Hold what is open against the stored bars and say what was decided."""
    judged = await list_dates.judge_list_dates(connection, now=at)
    settled = await identity.settle_contested(connection, now=at, next_session=next_session)
    told = await record_identity(connection, [*judged, *settled], source="bars", day=day, at=at, load_id=load_id)
    gone = await absence.settle_missing(connection, now=at)
    return told + [f"universe: {symbol} is listed no more, and its bars have ended" for symbol in gone]


async def record_identity(
    connection: Connection, changes: Sequence[Change], *, source: str, day: dt.date, at: dt.datetime, load_id: int
) -> list[str]:
    """Say in words what *source* showed; where it moved or cut a history, what was computed from that is stale."""
    told = [f"{source}: {one}" for one in changes]
    if any(one.kind not in (Kind.CONTESTED, Kind.CORRECTED) for one in changes):
        await coverage.record_coverage(
            connection,
            data_sets.IDENTITY,
            [day],
            rows=len(told),
            fetched_at=at,
            load_id=load_id,
            detail={"changes": told},
        )
    return told
