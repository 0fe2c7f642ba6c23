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

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.pool import Connection
    from market.companies import Change
    from market.identity import NextSession


async def check_identities(
    connection: Connection, *, day: dt.date, loaded: Loaded, next_session: NextSession
) -> list[str]:
    """Hold what is open against the stored bars and say what was decided."""
    at = loaded.fetched_at
    judged = await list_dates.judge_list_dates(connection, now=at)
    settled = await identity.settle_contested(connection, now=at, next_session=next_session)
    told = await record_identity(connection, [*judged, *settled], source="bars", day=day, loaded=loaded)
    gone = await absence.settle_missing(connection, now=at)
    return told + [f"universe: {symbol} is listed no more, and its bars have ended" for symbol in gone]


async def record_identity(
    connection: Connection, changes: Sequence[Change], *, source: str, day: dt.date, loaded: Loaded
) -> list[str]:
    """Say in words what *source* showed; where it moved or cut a history, what was computed from that is stale."""
    told = [f"{source}: {one}" for one in changes]
    if any(one.kind not in (Kind.CONTESTED, Kind.CORRECTED) for one in changes):
        detail = {"changes": told}
        await coverage.record_coverage(connection, data_sets.IDENTITY, day, loaded.counting(len(told)), detail=detail)
    return told
