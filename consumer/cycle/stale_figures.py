"""Notices that what the newest day's figures are made of has changed since, as a backfill does; and asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.catalogue.registry import DATA_SETS
from consumer.delivery.entries import Outgoing
from consumer.postgres import cycles
from contract.messages import TaskMessage, TaskName, encode

if TYPE_CHECKING:
    from consumer.data_sets.declaration import DataSet
    from consumer.postgres.pool import Pool


async def request_for_stale_figures(pool: Pool) -> list[Outgoing]:
    """Return the message that has them computed again, once for each change; none when they are up to date."""
    for one in DATA_SETS:
        if one.watches and (request := await _request(pool, one)) is not None:
            return [request]
    return []


async def _request(pool: Pool, one: DataSet) -> Outgoing | None:
    row = await pool.fetchrow(
        """
        SELECT figures.trading_day, input.load_id
        FROM (SELECT trading_day, fetched_at FROM coverage WHERE data_set = $1
              ORDER BY trading_day DESC LIMIT 1) AS figures
        CROSS JOIN LATERAL (
            SELECT w.name, c.load_id, c.fetched_at FROM unnest($2::text[]) AS w (name) CROSS JOIN LATERAL (
                SELECT load_id, fetched_at FROM coverage WHERE data_set = w.name AND trading_day <= figures.trading_day
                ORDER BY fetched_at DESC LIMIT 1) AS c) AS input
        WHERE input.fetched_at > figures.fetched_at ORDER BY input.fetched_at DESC LIMIT 1
        """,
        one.name,
        list(one.watches),
    )
    if row is None:
        return None
    newest, request = row["trading_day"], f"figures-{row['load_id']}"
    if await cycles.cycle_of_occasion(pool, newest, f"request:{request}") is not None:
        return None
    message = TaskMessage(task=TaskName.CYCLE, trading_day=newest, request=request, requested_by="catch-up")
    return Outgoing(fields=encode(message), key=f"request:{request}")
