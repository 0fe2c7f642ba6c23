"""Breaks the delivery on purpose, in the ways that others are broken: the simulator has to notice each.

Scripts are broken by what stands between their prelude and their body, functions by another in their place: so a
mutant holds however the rest is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from consumer.cycle.publication import Publisher
from consumer.cycle.runner import CycleRunner
from consumer.delivery import entries, redis_scripts
from consumer.delivery.settle import Ending
from consumer.delivery.task_stream import TaskStream
from consumer.postgres import cycles, ledger
from consumer.postgres.ledger import PartGone, PartId, Taken, Taker
from consumer.verdict.states import SessionState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Iterator

    from consumer.delivery.entries import Delivery, Entry, Outgoing
    from consumer.verdict.reading import Judged

ALWAYS_OWNED = """
local truly_owned = owned
local function owned(id, consumer) return truly_owned(id, consumer) or {id, consumer, 0, 1} end
"""
LEASE_IS_NOTHING = "\nARGV[3] = '0'\n"
NO_STANDING_ENTRY = "\nlocal function entry_of(key) return nil end\n"


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """*broken* says what is missing; *breaks* are the patches; *faults*: the kinds that show it soonest;
    *rule*: the one that the run's history breaks, judged by tests/histories, which knows nothing of the product."""

    broken: str
    breaks: Callable[[], list[Any]]
    faults: tuple[str, ...] = ()
    rule: str | None = None

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for one in self.breaks():
                stack.enter_context(one)
            yield


def _script(name: str, inserted: str) -> Callable[[], list[Any]]:
    """Lua between the prelude and the body of one script."""

    def breaks() -> list[Any]:
        original = redis_scripts.script_text
        prelude = (redis_scripts.files("consumer.delivery") / "scripts" / "prelude.lua").read_text("utf-8")

        def text(wanted: str) -> str:
            whole = original(wanted)
            return prelude + inserted + whole[len(prelude) :] if wanted == name else whole

        return [patch.object(redis_scripts, "script_text", text)]

    return breaks


def function(owner: Any, name: str, replacement: Any) -> Callable[[], list[Any]]:
    return lambda: [patch.object(owner, name, replacement)]


@contextlib.asynccontextmanager
async def _write_without_fence(pool: Any, part: PartId, *, fence: int) -> AsyncIterator[Any]:
    async with pool.acquire() as connection, connection.transaction():
        yield connection


async def _take_without_fence(pool: Any, part: PartId, taker: Taker, *, now: dt.datetime) -> Taken:
    row = await pool.fetchrow(
        "UPDATE part SET fence = $4, holder = $5, attempt = $6, state = 'running', started_at = $7 "
        "WHERE cycle_id = $1 AND task = $2 AND part = $3 AND state IN ('ready', 'running', 'retrying') "
        "RETURNING pass AS run_pass, payload",
        part.cycle_id, part.task, part.part, taker.fence, taker.name, taker.attempt, now,
    )  # fmt: skip
    if row is None:
        raise PartGone("not open")
    return Taken(**dict(row))


_run = CycleRunner.run
_settle = TaskStream.settle


async def _acknowledge_first(self: CycleRunner, delivery: Delivery) -> list[Outgoing]:
    await self._stream.settle(delivery.entry, Ending.ACKNOWLEDGE, key=delivery.work.key)
    await self._stream.enqueue(await _run(self, delivery))
    return []


async def _settle_then_send(
    self: TaskStream, entry: Entry, ending: Ending, *, successors: Any = (), **rest: Any
) -> bool:
    settled = await _settle(self, entry, ending, **rest)
    if settled:
        await self.enqueue(successors)
    return settled


async def _count_down(self: CycleRunner, delivery: Delivery) -> list[Outgoing]:
    """Every delivery of a part counts one down, and at zero the last part may go."""
    successors = await _run(self, delivery)
    fields = delivery.entry.fields
    if "part" not in fields or fields["part"] == "finish":
        return successors
    row = await self._services.pool.fetchrow(
        "UPDATE part SET payload = jsonb_set(payload, '{left}', to_jsonb(coalesce((payload->>'left')::int, "
        "(SELECT count(*)::int FROM part WHERE cycle_id = $1 AND part NOT IN ('finish', 'plan'))) - 1)), "
        "state = CASE WHEN state = 'blocked' AND (payload->>'left')::int <= 1 THEN 'ready' ELSE state END "
        "WHERE cycle_id = $1 AND part = 'finish' RETURNING state, cycle_id",
        int(fields["cycle"]),
    )
    if row is not None and row["state"] == "ready":
        key = f"{row['cycle_id']}/cycle/finish"
        finish = {**fields, "task": "cycle", "part": "finish", "attempt": "1"}
        return [*successors, entries.Outgoing(fields=finish, key=key)]
    return successors


async def _find_without_lock(connection: Any, cycle_id: int) -> Any:
    return await cycles.find_cycle(connection, cycle_id)


async def _raise_nothing(self: TaskStream, floor: int) -> None:
    pass


_write_day = Publisher._write_day


async def _write_what_is_planned(self: Publisher, connection: Any, judged: Judged, row: Any) -> None:
    """As if each run under way brought what it is to bring."""
    verdict = judged.verdicts[row.trading_day]
    bars = msgspec.structs.replace(verdict.data_sets[0], loaded=verdict.data_sets[0].expected, missing=0)
    whole = msgspec.structs.replace(verdict, state=SessionState.FINAL, data_sets=(bars,))
    await _write_day(self, connection, msgspec.structs.replace(judged, verdicts={row.trading_day: whole}), row)


async def _is_never_outdated(self: Publisher, known: Judged) -> bool:
    return False


MUTANTS = {
    "no-fence-in-write": Mutant(
        broken="a write transaction does not check its fence",
        breaks=function(ledger, "fenced_write", _write_without_fence),
        faults=("freeze",),
        rule="rows are written under the newest fence",
    ),
    "no-fence-in-take": Mutant(
        broken="a part may be taken under an older fence",
        breaks=function(ledger, "take_part", _take_without_fence),
        faults=("freeze",),
        rule="fences only grow",
    ),
    "ack-before-commit": Mutant(
        broken="the entry is acknowledged before its work is done",
        breaks=function(CycleRunner, "run", _acknowledge_first),
        rule="a message goes after its part has ended",
    ),
    "successors-outside": Mutant(
        broken="what follows is sent after the settlement, not with it",
        breaks=function(TaskStream, "settle", _settle_then_send),
        faults=("crash", "freeze", "slow_down"),
    ),
    "counter": Mutant(
        broken="the last part is released by a counter of deliveries, not by the set of open parts",
        breaks=function(CycleRunner, "run", _count_down),
        faults=("duplicate", "crash"),
    ),
    "unconditional-beat": Mutant(
        broken="the beat claims an entry whoever holds it",
        breaks=_script("beat", ALWAYS_OWNED),
        faults=("freeze",),
    ),
    "begin-unowned": Mutant(
        broken="a token is issued without ownership", breaks=_script("begin", ALWAYS_OWNED), faults=("freeze",)
    ),
    "settle-unowned": Mutant(
        broken="anybody may settle",
        breaks=_script("settle", ALWAYS_OWNED),
        faults=("freeze",),
        rule="only its holder ends a message",
    ),
    "claim-early": Mutant(
        broken="a claim does not wait until a lease has run out", breaks=_script("claim", LEASE_IS_NOTHING)
    ),
    "duplicates-run": Mutant(
        broken="a second entry of the same work is begun as well",
        breaks=_script("begin", NO_STANDING_ENTRY),
        faults=("duplicate", "slow_down"),
    ),
    "no-cycle-lock": Mutant(
        broken="two parts that end together do not see each other",
        breaks=function(cycles, "lock_cycle", _find_without_lock),
        faults=("slow_down",),
    ),
    "fence-not-raised": Mutant(
        broken="a fence counter that Redis lost is not lifted again",
        breaks=function(TaskStream, "raise_fence", _raise_nothing),
        faults=("flush", "roll_back", "pass_deadline"),
    ),
    "verdict-of-the-plan": Mutant(
        broken="a verdict vouches for what is planned, committed or not",
        breaks=function(Publisher, "_write_day", _write_what_is_planned),
        faults=("find",),
        rule="a verdict never precedes its rows",
    ),
    "verdict-kept": Mutant(
        broken="what was found after a verdict does not have it judged again",
        breaks=function(Publisher, "_is_outdated", _is_never_outdated),
        faults=("find", "let_time_pass"),
        rule="a verdict never stays whole after a finding",
    ),
}
