"""A deadline that is missed is news once, however its due time moves; made good is what has come, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.reporting import Reporter
from consumer.postgres import missed_deadlines as kept
from consumer.postgres.missed_deadlines import MissedDeadline
from consumer.verdict.deadlines import has_come
from tests.cycle.stack import DAY, Stack, new_york

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

NOW = new_york(DAY, "23:30")
SLOTS = MissedDeadline(
    trading_day=DAY, data_set="volume_slots", due_at=new_york(DAY, "22:22"), deadline=new_york(DAY, "23:22"), why="x"
)


def nothing(_: MissedDeadline) -> bool:
    return False


async def closed(connection: Connection) -> tuple[dt.datetime | None, dt.datetime | None]:
    row = await connection.fetchrow("SELECT closed_at, made_good_at FROM missed_deadline")
    assert row is not None
    return row["closed_at"], row["made_good_at"]


async def test_a_due_time_that_moves_with_the_number_of_symbols_is_no_news(connection: Connection) -> None:
    assert (await kept.note(connection, [SLOTS], nothing, now=NOW)).missed == (SLOTS,)
    later = msgspec.structs.replace(SLOTS, due_at=SLOTS.due_at + dt.timedelta(seconds=0.375))
    noted = await kept.note(connection, [later], nothing, now=NOW)
    assert (noted.missed, noted.made_good) == ((), ())
    assert await kept.read_open(connection) == [SLOTS]


async def test_what_is_no_longer_missed_and_has_not_come_is_closed_without_a_word(connection: Connection) -> None:
    await kept.note(connection, [SLOTS], nothing, now=NOW)
    assert (await kept.note(connection, [], nothing, now=NOW)).made_good == ()
    assert await kept.read_open(connection) == []
    assert await closed(connection) == (NOW, None), "nor does its row say that it came"
    assert (await kept.note(connection, [SLOTS], nothing, now=NOW)).missed == (SLOTS,), "missed again: news"
    assert await closed(connection) == (None, None)
    assert (await kept.note(connection, [], lambda one: one == SLOTS, now=NOW)).made_good == (SLOTS,)
    assert await closed(connection) == (NOW, NOW)


async def test_data_that_lack_or_that_the_plan_has_ceased_to_give_have_not_come(stack: Stack) -> None:
    await stack.run_cycle()
    due = msgspec.structs.replace(SLOTS, due_at=new_york(DAY, "20:15"))
    verdict = await stack.verdict()
    assert has_come({DAY: verdict}, due)
    assert not has_come({}, due), "nobody judges it"
    of_others = tuple(one for one in verdict.data_sets if one.data_set != "volume_slots")
    assert not has_come({DAY: msgspec.structs.replace(verdict, data_sets=of_others)}, due), "not in the plan"
    await stack.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol = 'SPY'", DAY)
    assert not has_come({DAY: await stack.verdict()}, due)


async def test_who_tells_nobody_leaves_a_missed_deadline_to_be_news_to_those_who_do(stack: Stack) -> None:
    stack.clock.at = new_york(DAY, "20:30")
    await stack.run_cycle()
    stack.clock.at = new_york(DAY + dt.timedelta(days=1), "20:00")
    await Reporter(stack.pool, stack.redis, stack.expectations, now=stack.clock).judge()
    assert await stack.value("SELECT count(*) FROM missed_deadline") == 0
    await stack.reporter.judge()
    assert await stack.value("SELECT count(*) FROM missed_deadline") > 0
