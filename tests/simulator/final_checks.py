"""Holds the end of a seed against what should have happened: everything, exactly once, by the rightful holder."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from consumer.maintenance_channel import task_stream
from contract import keys
from tests.simulator import faults
from tests.simulator.ledger_state import OPEN
from tests.simulator.redis_state import Violation, read_state
from tests.simulator.virtual_worker import LEASE, SETTINGS

if TYPE_CHECKING:
    from tests.simulator.simulation import Simulation


async def check_end(simulation: Simulation) -> None:
    """Raise Violation for the first thing that is not as it should be."""
    await _redis_is_empty(simulation)
    await _cycles_are_terminal(simulation)
    await _rows_are_there_once(simulation)
    await _continuations_came_once(simulation)
    await _given_up_with_reason(simulation)
    await _nonsense_is_dead(simulation)


async def _redis_is_empty(simulation: Simulation) -> None:
    redis = simulation.stage.redis
    if simulation.kinds & faults.BY_HAND:
        await task_stream(redis, redis, consumer="sweeper", lease=LEASE).sweep()
    state = read_state(simulation.stage.world.side_redis)
    messages = await redis.hlen(keys.LATER_MESSAGES.pattern)
    if not state.is_empty or state.queued or messages:
        raise Violation(
            f"Redis is not empty at the end: {len(state.entries)} entries, {len(state.pending)} pending, "
            f"{len(state.later)} later, {messages} parked messages, queued {state.queued}"
        )


async def _cycles_are_terminal(simulation: Simulation) -> None:
    rows = await simulation.stage.monitor.fetch(
        "SELECT c.cycle_id, c.state, array_agg(p.task || '/' || p.part || ' ' || p.state) AS parts FROM cycle c "
        "JOIN part p USING (cycle_id) WHERE c.state IN ('running', 'waiting') OR p.state = ANY ($1) GROUP BY 1, 2",
        list(OPEN),
    )
    if rows:
        raise Violation(f"not at its end: {[dict(row) for row in rows]}")


async def _rows_are_there_once(simulation: Simulation) -> None:
    twice = await simulation.stage.monitor.fetch(
        "SELECT trading_day, task, part, number, count(*) AS times FROM simulated_row GROUP BY 1, 2, 3, 4 "
        "HAVING count(*) > 1 LIMIT 5"
    )
    if twice:
        raise Violation(f"written more than once: {[dict(row) for row in twice]}")
    done = await simulation.stage.monitor.fetch(
        "SELECT DISTINCT trading_day, p.task, p.part FROM part p JOIN cycle USING (cycle_id) "
        "WHERE p.state = 'done' AND p.task <> 'cycle'"
    )
    counted = await simulation.stage.monitor.fetch(
        "SELECT trading_day, task, part, count(*) FROM simulated_row GROUP BY 1, 2, 3"
    )
    there = {(row["trading_day"], row["task"], row["part"]): row["count"] for row in counted}
    for row in done:
        script = simulation.workload.find(row["task"], row["part"])
        found = there.get((row["trading_day"], row["task"], row["part"]), 0)
        if script is not None and found != script.rows:
            raise Violation(f"{row['task']}/{row['part']} is done with {found} of {script.rows} rows")


async def _continuations_came_once(simulation: Simulation) -> None:
    rows = await simulation.stage.monitor.fetch(
        "SELECT cycle_id, pass, event, task, part, open_parts FROM simulated_history"
    )
    ended = Counter(
        (row["cycle_id"], row["pass"], row["task"], row["part"]) for row in rows if row["event"] != "half written"
    )
    more = [part for part, times in ended.items() if times > 1]
    if more:
        raise Violation(f"committed more than once: {more}")
    early = [row for row in rows if row["event"] == "finished" and row["open_parts"]]
    if early:
        raise Violation(f"cycle {early[0]['cycle_id']} was finished with {early[0]['open_parts']} parts open")
    finished = {(row["cycle_id"], row["pass"]) for row in rows if row["event"] == "finished"}
    cycles = await simulation.stage.monitor.fetch(
        "SELECT cycle_id, pass, state FROM cycle WHERE state IN ('complete', 'partial')"
    )
    for row in cycles:
        if (row["cycle_id"], row["pass"]) not in finished:
            raise Violation(f"cycle {row['cycle_id']} is {row['state']} without its last part")


async def _given_up_with_reason(simulation: Simulation) -> None:
    watch = simulation.stage.watch
    rows = await simulation.stage.monitor.fetch("SELECT cycle_id, task, part, reason FROM part WHERE state = 'failed'")
    for row in rows:
        key = f"{row['cycle_id']}/{row['task']}/{row['part']}"
        script = simulation.workload.find(row["task"], row["part"])
        failures = (
            simulation.handlers.failed.get(f"{row['task']}/{row['part']}", 0) + simulation.stage.watch.excused[key]
        )
        failures += 1 if script is not None and script.in_two_commits else 0
        too_often = watch.deliveries[key] > SETTINGS.max_deliveries
        if not too_often and failures < SETTINGS.max_attempts:
            raise Violation(
                f"{key} was given up after {watch.deliveries[key]} deliveries and {failures} failures: {row['reason']}"
            )
        simulation.stage.figures["parts given up"] += 1


async def _nonsense_is_dead(simulation: Simulation) -> None:
    letters = await simulation.stage.monitor.fetch("SELECT entry_id, fields FROM dead_letter")
    simulation.stage.figures["dead letters"] += len(letters)
    if simulation.lost_something:
        return
    dead = [(row["entry_id"], json.loads(row["fields"])) for row in letters]
    for entry_id, nonsense in simulation.stage.nonsense.items():
        # What is larger than any message is kept as a beginning of it, under the entry that it was.
        named = any(entry_id in (of, fields.get("refused_entry")) for of, fields in dead)
        if not named and not any(_own_fields(fields).items() <= nonsense.items() for _, fields in dead):
            raise Violation(f"unreadable, and no dead letter: {nonsense}")
    copies = Counter(fields["entry_id"] for _, fields in await simulation.stage.redis.xrange(keys.DEAD.name))
    if more := [entry_id for entry_id, times in copies.items() if times > 1]:
        raise Violation(f"more than one dead letter in Redis for {more}")


def _own_fields(fields: dict[str, str]) -> dict[str, str]:
    """Without those that a retry adds."""
    return {
        name: value for name, value in fields.items() if name not in ("attempt", "waits", "request", "refused_entry")
    }
