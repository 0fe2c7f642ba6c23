"""Tells requests that had to be asked again from those that were: by force, or for a delivery cut short.

What is not committed is asked again, so deliveries are counted by the ledger itself: taken, and ended. Their difference
was cut short, and may have asked for all that its part is about.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from tests.histories import audit

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

_COUNTED = """
CREATE TABLE delivery_count (task text NOT NULL, taken integer NOT NULL, ended integer NOT NULL);
CREATE FUNCTION count_delivery() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- A row each time: one that is counted up would be a lock that all parts wait for.
    INSERT INTO delivery_count VALUES (NEW.task, (NEW.fence <> OLD.fence)::int,
        (NEW.state IN ('done', 'not_yet') AND OLD.state = 'running')::int);
    RETURN NULL;
END $$;
CREATE TRIGGER count_delivery AFTER UPDATE ON part FOR EACH ROW
    WHEN (OLD.fence <> NEW.fence OR OLD.state <> NEW.state) EXECUTE FUNCTION count_delivery();
"""


async def count_deliveries(dsn: str) -> None:
    """Make the tables of a new database, and have it count, and write down what commits."""
    async with await open_pool(dsn, lease=dt.timedelta(seconds=10), size=1) as pool:
        await migrate(pool)
        await pool.execute(_COUNTED)
        await pool.execute(audit.TABLES)


async def cut_short(db: Connection) -> dict[str, int]:
    """How many deliveries were begun and not brought to their end, by task."""
    rows = await db.fetch("SELECT task, sum(taken - ended)::bigint AS times FROM delivery_count GROUP BY task")
    return {row["task"]: row["times"] for row in rows if row["times"]}


async def largest_parts(db: Connection) -> dict[str, int]:
    """The most requests that one part of each task has asked."""
    rows = await db.fetch(
        "SELECT task, max(asked)::bigint AS most FROM (SELECT task, sum(value::bigint) AS asked "
        "FROM part, jsonb_each_text(requests) GROUP BY cycle_id, task, part) AS parts GROUP BY task"
    )
    return {row["task"]: row["most"] for row in rows}


def repeated_at_most(cut: dict[str, int], largest: dict[str, int], *, faulty: int) -> int:
    """What the deliveries that were cut short may have asked in vain, and what the market spoilt the answer of."""
    return faulty + sum(times * largest.get(task, 0) for task, times in cut.items())


class Askers(msgspec.Struct):
    """The cycles that may have asked since the last time: each asks for a thing once, and a forced one for all."""

    ended: set[int] = set()

    async def since_last_time(self, db: Any) -> tuple[int, bool]:
        """Return how many forced cycles there were, and whether there was any other."""
        rows = await db.fetch("SELECT cycle_id, force, finished_at IS NOT NULL AS has_ended FROM cycle")
        active = [row for row in rows if row["cycle_id"] not in self.ended]
        self.ended |= {row["cycle_id"] for row in rows if row["has_ended"]}
        return sum(row["force"] for row in active), any(not row["force"] for row in active)
