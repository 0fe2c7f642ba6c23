"""Writes down the history of a run: what Redis holds before and after each step, and what the ledger has committed.

Between two steps nothing changes but by a fault. The ledger is read before whatever is noted of Redis, so what had
committed by then comes first. Judged by tests/histories.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from contract import data_sets as sets
from contract import keys
from tests.histories.audit import record_of
from tests.histories.records import (
    Asked,
    CycleTurned,
    Faulted,
    Gone,
    Held,
    History,
    Published,
    Taken,
    Written,
)

if TYPE_CHECKING:
    import asyncio

    from redis import Redis

    from tests.simulator.gated_postgres import Session
    from tests.simulator.gates import Step
    from tests.simulator.redis_state import RedisState

STATUS = keys.STATUS.pattern.partition("{")[0]
NEVER_READ = -1.0


class Recorder:
    """The history of one run so far."""

    def __init__(self, redis: Redis, ledger: Session) -> None:
        self._redis = redis
        self._ledger = ledger
        self._noted: set[int] = set()  # numbers are drawn before they are committed: the last is not the highest
        self._days: dict[int, str] = {}
        self._rows: Counter[str] = Counter()
        self._shown: dict[str, str | None] = {}  # by day, the text of its key
        self._turns: dict[asyncio.Task[Any] | None, float] = {}
        self.history: History = []

    @property
    def _at(self) -> float:
        return float(len(self.history))

    async def note_ledger(self) -> None:
        """Note what has committed since the last time."""
        rows = await self._ledger.fetch(
            "SELECT at, kind, facts FROM history WHERE at <> ALL ($1) ORDER BY at", list(self._noted)
        )
        for row in rows:
            self._noted.add(row["at"])
            record = record_of(row["kind"], row["facts"], at=self._at)
            self.history.append(record)
            match record:
                case CycleTurned():
                    self._days[record.cycle] = record.day
                case Written():
                    day = self._days[record.cycle]
                    self._rows[day] += record.rows
                    self.history.append(
                        Held(at=self._at, day=day, data_set=sets.DAILY_BARS, rows=self._rows[day])
                    )  # fmt: skip

    def note_fault(self, kind: str) -> None:
        self.history.append(Faulted(at=self._at, kind=kind))

    async def note_step(self, actor: str, step: str, before: RedisState, after: RedisState) -> None:
        """Note what *actor* has ended with *step*; everything that it knew had committed before."""
        removed = before.entries.keys() - after.entries.keys()
        if not removed:
            self.note_new(before, after)
            return
        await self.note_ledger()
        self.note_new(before, after)
        messages = {after.key_of(entry_id) for entry_id in after.entries} | after.later.keys()
        for entry_id in sorted(removed):
            fields, held = before.entries[entry_id], before.pending.get(entry_id)
            leads = before.key_of(entry_id) in messages or any(entry_id in key for key in messages)
            is_part = "part" in fields and fields.get("cycle", "").isdigit()
            self.history.append(
                Gone(
                    at=self._at, entry=entry_id, by=actor, holder=None if held is None else held.owner,
                    cycle=int(fields["cycle"]) if is_part else None,
                    part=f"{fields['task']}/{fields['part']}" if is_part else None,
                    leads=leads, withdrawn=step == "withdraw",
                )
            )  # fmt: skip

    def note_new(self, before: RedisState, after: RedisState) -> None:
        """Note what asks for work, and is no message of a cycle's own."""
        for entry_id, fields in after.entries.items():
            if entry_id not in before.entries and not {"part", "cycle"} & fields.keys():
                self.history.append(Asked(at=self._at, entry=entry_id, day=fields.get("trading_day")))

    def note_outside(self, before: RedisState, after: RedisState) -> None:
        """Note what no process has done: what came and went by a fault, or by hand."""
        self.history += [
            Taken(at=self._at, entry=entry_id) for entry_id in before.entries if entry_id not in after.entries
        ]  # fmt: skip
        self.note_new(before, after)
        for day, shown in self._shown.items():
            text: Any = self._redis.get(f"{STATUS}{day}")
            if text != shown:
                self._note_published(day, text, as_of=NEVER_READ)

    async def note_performed(self, step: Step) -> None:
        """Note a turn at publishing that begins, and what is published."""
        if step.failure is not None:
            return
        if step.name == "_turn LOCK TABLE":
            await self.note_ledger()
            self._turns[step.task_of_actor] = self._at
        elif step.name == "SET" and step.detail.startswith(STATUS):
            await self.note_ledger()
            day = step.detail.split()[0].removeprefix(STATUS)
            text: Any = self._redis.get(f"{STATUS}{day}")
            self._note_published(day, text, as_of=self._turns[step.task_of_actor])

    def _note_published(self, day: str, text: str | None, *, as_of: float) -> None:
        self._shown[day] = text
        status: dict[str, Any] = {"state": None, "data_sets": {}} if text is None else json.loads(text)
        claims = {name: one["loaded"] for name, one in status["data_sets"].items()}
        self.history.append(Published(at=self._at, day=day, state=status["state"], claims=claims, as_of=as_of))
