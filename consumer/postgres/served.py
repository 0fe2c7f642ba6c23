"""Stops a program that is at work once the tables serve newer ones only, so that it hands back what it holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loguru import logger

from consumer.postgres.pool import POSTGRES_ERRORS
from consumer.postgres.schemas import schemas_of
from consumer.postgres.versions import NotServed, read_versions, refuse_unserved

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

LOOKED_EVERY_S = 5.0  # `maintenance migrate --finish` waits for twelve of these


async def until_unserved(pool: Pool, *, every_s: float = LOOKED_EVERY_S) -> NotServed:
    """Return why, once these tables serve newer programs only. What keeps the look from its answer is told elsewhere.

    A session that is open may go on for minutes without another being opened, and would not find out by itself.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            refuse_unserved(await read_versions(pool, await schemas_of(pool)))
        except NotServed as refused:
            logger.error("program_not_served", reason=str(refused), runbook="upgrade")
            return refused
        except POSTGRES_ERRORS:
            continue
