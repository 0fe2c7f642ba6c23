"""Applies the retention once a session, behind all other work: its failure is a dead letter and changes no verdict."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from loguru import logger

from consumer.catalogue.registry import BEFORE_CACHES, CACHE_STAGE
from consumer.catalogue.retention import MOST_SESSIONS, due
from consumer.postgres import coverage, retention
from consumer.postgres.holdings import CountedTable
from consumer.postgres.ledger import PartPlan, PartReport
from contract import data_sets
from contract.messages import ALL_TASKS, TaskName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.catalogue.retention import Removed, Retired
    from consumer.data_sets.situation import Situation
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

NAME = data_sets.RETENTION
PART = PartPlan(task=TaskName.CYCLE, part=NAME, stage=f"cycle/{NAME}", needs=(*BEFORE_CACHES, CACHE_STAGE))


def parts_of_retention(situation: Situation) -> list[PartPlan]:
    """Return the part that applies it: with a cycle of all tasks, once for each session."""
    applied = situation.holdings.newest.get(NAME)
    whole = set(ALL_TASKS) <= set(situation.terms.cycle.tasks) and not situation.terms.is_backfill
    return [PART] if whole and (applied is None or applied.trading_day < situation.present_day) else []


async def apply_retention(ctx: PartContext) -> Write:
    """Delete what is over its time, and say what that was."""
    now = ctx.services.now()
    day = await ctx.present_day(now)
    over = due(ctx.services.options.kept_days, now=now, day=day)
    last = await coverage.newest_detail(ctx.services.pool, NAME)
    since = _looked_until(last, now)

    async def write(connection: Connection) -> PartReport:
        gone = {one.data_set: rows for one in over.retired if (rows := await _retire(connection, one, now))}
        gone |= {one.table.name: rows for one in over.removed if (rows := await _remove(connection, one, since))}
        total = sum(gone.values())
        loaded = await ctx.note_load(connection, at=now, rows=total)
        before = min((one.before for one in over.removed), default=now)
        detail = {"at": now.isoformat(), "before": before.isoformat(), "removed": gone}
        await coverage.record_coverage(connection, NAME, day, loaded, detail=detail)
        if gone:
            logger.info("retention_applied", removed=gone)
        return PartReport(rows=total)

    return write


def _looked_until(last: Mapping[str, Any] | None, now: dt.datetime) -> dt.datetime | None:
    """The age up to which was looked the last time; None with a new month.

    What stayed then, being referred to, is gone over once a month and not every night.
    """
    if last is None or dt.datetime.fromisoformat(last["at"]).strftime("%Y-%m") != f"{now:%Y-%m}":
        return None
    return dt.datetime.fromisoformat(last["before"])


async def _retire(connection: Connection, one: Retired, now: dt.datetime) -> int:
    tables = [CountedTable(table=table.name, day_column=str(table.day_column)) for table in one.tables]
    days = await retention.oldest_sessions(connection, tables, before=one.before, most=MOST_SESSIONS)
    return await retention.retire_sessions(connection, one.data_set, tables, days, now=now) if days else 0


async def _remove(connection: Connection, one: Removed, since: dt.datetime | None) -> int:
    table = one.table
    records = retention.Aging(table=table.name, age_column=str(table.age_column), stays=table.stays)
    return await retention.remove_records(connection, records, since=since, before=one.before)
