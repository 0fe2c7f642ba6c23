"""Has the server end sessions whose client has gone or is frozen, so that their row locks hold nobody up.

Between the messages of one statement the server reports `active` and waits for the client: there neither
`idle_in_transaction_session_timeout` nor `statement_timeout` applies (a cancel is ignored while a command is read), so
that locks would be held until the kernel notices that the peer is gone, or for ever where it is frozen.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import asyncpg
from loguru import logger

from consumer.postgres.session import LONGEST_STATEMENT_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.session import Session

_LONGEST = dt.timedelta(milliseconds=LONGEST_STATEMENT_MS)
# A backend's number may be another session's by now: only one that still waits for a client is ended.
_END_GIVEN_UP = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid = ANY ($1::int[]) AND datname = current_database() AND usename = current_user
      AND application_name LIKE 'maintenance%' AND (state LIKE 'idle%' OR wait_event_type = 'Client')
"""
# Ours alone, and only where somebody waits for it. A COPY and a long answer move without a change of state: theirs is
# the bound of any statement.
_END_FROZEN = """
    WITH holder AS (
        SELECT DISTINCT unnest(pg_blocking_pids(waiting)) AS pid FROM unnest($1::int[]) AS waiting
    )
    SELECT pid, pg_terminate_backend(pid) AS ended, clock_timestamp() - state_change AS silent_for
    FROM pg_stat_activity JOIN holder USING (pid)
    WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'maintenance%'
      AND state = 'active' AND wait_event_type = 'Client'
      AND clock_timestamp() - state_change >
          CASE WHEN wait_event = 'ClientRead' AND query NOT ILIKE 'COPY %' THEN $2::interval ELSE $3::interval END
"""


async def end_given_up(asking: Session, backends: Sequence[int]) -> None:
    """End what we have closed on our side: behind a wire that swallows packets the server never hears of it."""
    try:
        await asking.fetchval(_END_GIVEN_UP, backends)
    except asyncpg.PostgresError as error:  # what it costs is time: the kernel's probes find out as well
        logger.info("postgres_session_not_ended", reason=f"{type(error).__name__}: {error}")


async def end_frozen_holders(asking: Session, waiting: Sequence[int], lease: dt.timedelta) -> None:
    """End the sessions of ours that hold what the backends *waiting* want, and whose client is silent for a *lease*.

    A client that only stood still, or sent one large statement over a slow line, has its part tried again.
    """
    for row in await asking.fetch(_END_FROZEN, waiting, lease, _LONGEST):
        if row["ended"]:
            logger.warning(
                "postgres_frozen_session_ended",
                backend=row["pid"],
                silent_for_s=round(row["silent_for"].total_seconds(), 1),
                runbook="postgres-silent",
            )
