"""Stands in for the real tasks: parts that fan out in two levels and write rows that can be counted.

Run by the real CycleRunner under the real ledger. Every write leaves a row of `simulated_history`, in its own
transaction, so that the end can be held against what should have happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.opened_pass import FINISH
from consumer.postgres.ledger import PartPlan, PartReport
from consumer.vendor.errors import NotYetPublished, ProviderUnavailable
from tests.simulator.gates import Step, current_actor

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from consumer.postgres.ledger import PartId
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Handler, PartContext, Write
    from tests.simulator.gates import Actor

TABLES = """
CREATE TABLE simulated_row (
    trading_day date NOT NULL, task text NOT NULL, part text NOT NULL, number integer NOT NULL,
    cycle_id bigint NOT NULL, fence bigint NOT NULL
);
CREATE TABLE simulated_history (
    at bigint GENERATED ALWAYS AS IDENTITY, event text NOT NULL, cycle_id bigint NOT NULL, pass integer NOT NULL,
    task text NOT NULL, part text NOT NULL, fence bigint NOT NULL, open_parts integer
);
-- A load, as the real parts record one; it is no step of its own here.
CREATE FUNCTION note_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO data_load (cycle_id, task, part, fence, source, fetched_at, row_count)
    SELECT cycle_id, task, part, fence, 'simulated', now(), count(*) FROM written GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;
CREATE TRIGGER note_rows AFTER INSERT ON simulated_row REFERENCING NEW TABLE AS written FOR EACH STATEMENT
    EXECUTE FUNCTION note_rows();
"""
EMPTY = """
TRUNCATE cycle, part, dead_letter, data_load, session_finding, session_condition, history, simulated_row,
    missed_deadline, alert_message,
    simulated_history RESTART IDENTITY CASCADE
"""


class PartScript(msgspec.Struct, frozen=True, kw_only=True):
    """What a part does: *rows* to write, how often the vendor fails first, whether its rows come in two commits."""

    task: str
    name: str
    stage: str
    needs: tuple[str, ...] = ()
    rows: int = 2
    fails: int = 0
    not_yet: bool = False
    in_two_commits: bool = False
    poisoned: bool = False

    @property
    def plan(self) -> PartPlan:
        return PartPlan(task=self.task, part=self.name, stage=self.stage, needs=self.needs)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that a cycle plans first, and those that its part `volume_slots/plan` adds."""

    first: tuple[PartScript, ...]
    added: tuple[PartScript, ...]

    @property
    def parts(self) -> tuple[PartScript, ...]:
        return (*self.first, *self.added)

    def find(self, task: str, name: str) -> PartScript | None:
        return next((part for part in self.parts if (part.task, part.name) == (task, name)), None)


def draw_workload(random: Random, *, may_wait: bool) -> Workload:
    """A few parts, some of which misbehave. *may_wait*: some may be published only by the cycle's second pass."""

    def script(task: str, name: str, stage: str, *needs: str) -> PartScript:
        return PartScript(
            task=task, name=name, stage=stage, needs=needs, rows=random.randint(1, 4),
            fails=random.choice((0, 0, 0, 0, 0, 0, 1, 2)), not_yet=may_wait and random.random() < 0.1,
            in_two_commits=random.random() < 0.15, poisoned=random.random() < 0.02,
        )  # fmt: skip

    first = [script("ohlc_daily", f"rows:{number}", "simulated/bars") for number in range(random.randint(2, 4))]
    first.append(script("ohlc_daily", "follow", "simulated/follow", "simulated/bars"))
    added: list[PartScript] = []
    if random.random() < 0.5:
        plan = PartScript(task="volume_slots", name="plan", stage="simulated/plan", needs=("simulated/bars",), rows=1)
        first.append(plan)
        added = [script("volume_slots", f"rows:{number}", "simulated/slots") for number in range(random.randint(1, 4))]
        needs = ("simulated/plan", "simulated/slots")
        first.append(script("volume_slots", "prove", "simulated/prove", *needs))
    return Workload(first=tuple(first), added=tuple(added))


class Handlers:
    """The handlers of a workload, in place of consumer/cycle/handlers.py."""

    def __init__(self, workload: Workload, *, on_run: Callable[[Actor, PartContext], None]) -> None:
        self._workload = workload
        self._on_run = on_run
        self.failed: dict[str, int] = {}  # how often the vendor failed, by "task/part"

    def of(self, part: PartId) -> Handler:
        match part.task, part.part:
            case "cycle", "plan":
                return self._plan
            case "cycle", "finish":
                return self._finish
            case _:
                return self._load

    async def _plan(self, ctx: PartContext) -> Write:
        self._on_run(current_actor(), ctx)
        missing = await self._missing(ctx)

        async def write(connection: Connection) -> PartReport:
            await _note(connection, ctx, "planned")
            return PartReport(spawned=(*(part.plan for part in missing), FINISH))

        return write

    async def _missing(self, ctx: PartContext) -> list[PartScript]:
        """The parts of the cycle's tasks that have not all their rows yet."""
        found = await ctx.services.pool.fetch(
            "SELECT task, part, count(DISTINCT number) AS rows FROM simulated_row WHERE trading_day = $1 "
            "GROUP BY task, part",
            ctx.day,
        )
        there = {(row["task"], row["part"]): row["rows"] for row in found}
        wanted = [part for part in self._workload.first if part.task in ctx.cycle.tasks]
        incomplete = {p.task for p in self._workload.added if there.get((p.task, p.name), 0) < p.rows}
        return [
            part for part in wanted
            if there.get((part.task, part.name), 0) < part.rows or (part.name == "plan" and part.task in incomplete)
        ]  # fmt: skip

    async def _load(self, ctx: PartContext) -> Write:
        script = self._workload.find(ctx.part.task, ctx.part.part)
        assert script is not None, ctx.part
        self._on_run(current_actor(), ctx)
        found = await ctx.services.pool.fetch(
            "SELECT DISTINCT number FROM simulated_row WHERE trading_day = $1 AND task = $2 AND part = $3",
            ctx.day, script.task, script.name,
        )  # fmt: skip
        await self._ask_vendor(script, ctx)
        missing = sorted(set(range(script.rows)) - {row["number"] for row in found})
        halves = script.in_two_commits and len(missing) > 1 and not found
        now = missing[: len(missing) // 2] if halves else missing

        async def write(connection: Connection) -> PartReport:
            await connection.execute(
                "INSERT INTO simulated_row SELECT $1, $2, $3, number, $4, $5 FROM unnest($6::int[]) AS number",
                ctx.day, script.task, script.name, ctx.cycle.cycle_id, ctx.fence, now,
            )  # fmt: skip
            await _note(connection, ctx, "half written" if halves else "written")
            added = self._workload.added if script.name == "plan" else ()
            return PartReport(
                rows=len(now),
                spawned=tuple(part.plan for part in added),
                unfinished=ProviderUnavailable("the other half is still to come") if halves else None,
            )

        return write

    async def _ask_vendor(self, script: PartScript, ctx: PartContext) -> None:
        actor = current_actor()
        name = "poison" if script.poisoned else "vendor"
        await actor.pass_through(Step(actor, "vendor", name, f"{script.task}/{script.name}", _nothing))
        if script.not_yet and ctx.cycle.run_pass == 1:
            raise NotYetPublished("not yet")
        failed = self.failed.get(key := f"{script.task}/{script.name}", 0)
        if failed < script.fails:
            self.failed[key] = failed + 1
            raise ProviderUnavailable("no answer")

    async def _finish(self, ctx: PartContext) -> Write:
        self._on_run(current_actor(), ctx)
        rows = await ctx.services.pool.fetch(
            "SELECT state FROM part WHERE cycle_id = $1 AND pass = $2 AND part <> 'finish'",
            ctx.cycle.cycle_id, ctx.cycle.run_pass,
        )  # fmt: skip
        states = {row["state"] for row in rows}
        state = "waiting" if "not_yet" in states else "partial" if "failed" in states else "complete"

        async def write(connection: Connection) -> PartReport:
            await _note(connection, ctx, "finished")
            await connection.execute(
                "UPDATE cycle SET state = $2, finished_at = CASE WHEN $2 = 'waiting' THEN NULL ELSE $3::timestamptz "
                "END WHERE cycle_id = $1",
                ctx.cycle.cycle_id, state, ctx.services.now(),
            )  # fmt: skip
            return PartReport()

        return write


async def _note(connection: Connection, ctx: PartContext, event: str) -> None:
    await connection.execute(
        "INSERT INTO simulated_history (event, cycle_id, pass, task, part, fence, open_parts) "
        "SELECT $5, $1, $6, $2, $3, $4, count(*) FROM part WHERE cycle_id = $1 AND (task, part) <> ($2, $3) "
        "AND state IN ('blocked', 'ready', 'running', 'retrying')",
        ctx.cycle.cycle_id, ctx.part.task, ctx.part.part, ctx.fence, event, ctx.cycle.run_pass,
    )  # fmt: skip


async def _nothing() -> None:
    """The vendor's answer is not what is simulated here."""
