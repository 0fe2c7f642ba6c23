"""Notices that what the newest day's figures are made of has changed since, as a backfill does; and asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.delivery.entries import Outgoing
from consumer.postgres import cycles
from contract import data_sets
from contract.messages import TaskMessage, TaskName, encode

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool


async def request_for_stale_figures(pool: Pool) -> list[Outgoing]:
    """Return the message that has them computed again, once for each change; none when they are up to date."""
    row = await pool.fetchrow(
        """
        SELECT atr.trading_day, input.load_id FROM coverage AS atr
        JOIN LATERAL (
            SELECT load_id, fetched_at FROM coverage WHERE data_set = ANY ($2) AND trading_day <= atr.trading_day
            ORDER BY fetched_at DESC LIMIT 1) AS input ON input.fetched_at > atr.fetched_at
        WHERE atr.data_set = $1 ORDER BY atr.trading_day DESC LIMIT 1
        """,
        data_sets.ATR,
        [data_sets.DAILY_BARS, data_sets.TAKEN, data_sets.SPLITS],
    )
    if row is None:
        return []
    newest = await pool.fetchval("SELECT max(trading_day) FROM coverage WHERE data_set = $1", data_sets.ATR)
    request = f"figures-{row['load_id']}"
    if row["trading_day"] != newest or await cycles.cycle_of_occasion(pool, newest, f"request:{request}") is not None:
        return []
    message = TaskMessage(task=TaskName.CYCLE, trading_day=newest, request=request, requested_by="catch-up")
    return [Outgoing(fields=encode(message), key=f"request:{request}")]
