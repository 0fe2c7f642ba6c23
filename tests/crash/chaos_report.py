"""Says what a chaos run did, what the product did about it, and whether the data are those of an undisturbed run."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.crash.workload import Fingerprint, Workload

# What a log line of these says is counted by its reason: the numbers and names in it are not of interest.
WITH_REASONS = ("delivery_abandoned", "delivery_retried_later", "delivery_dead_lettered", "settlement_came_too_late")
COUNTED = ("entry_reclaimed", "duplicate_entry_dropped", "part_needs_no_run", "stranded_entries_sent_again",
           "caught_up", "delivery_left_to_its_lease", "delivery_broke_off", "lease_keeper_died",
           "wedged_worker_ends_itself", "session_change_published", "session_event_refused")  # fmt: skip


class ChaosReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is printed, and written as JSON."""

    seed: int
    tickers: int
    minutes: float
    trading_day: str
    faults: dict[str, int]
    faults_that_met_another: list[str]
    exits: dict[str, dict[str, int]]
    cycles: dict[str, int]
    cycles_not_complete: list[str]
    cycles_asked_for: dict[str, int]
    asked_again_after_the_chaos: list[str]
    deliveries: int
    log_lines: dict[str, int]
    reasons: dict[str, dict[str, int]]
    parts_with_failed_attempts: dict[str, int]
    asked_by_force: dict[str, int]
    asked_twice: dict[str, int]
    asked_twice_at_most: int
    deliveries_cut_short: dict[str, int]
    answers: dict[str, int]
    requests: dict[str, int]
    requests_undisturbed: dict[str, int]
    undisturbed_s: float
    quiet_s: float
    dead_letters: list[dict[str, Any]]
    consumers: dict[str, int]
    left_over: dict[str, int]
    history: dict[str, int]
    breaches: list[str]
    differences: dict[str, list[Any]]
    defects: list[str]

    @property
    def data_equal(self) -> bool:
        return not self.differences

    def text(self) -> str:
        lines = []
        for name, value in msgspec.to_builtins(self).items():
            if isinstance(value, dict):
                lines.append(f"{name.replace('_', ' ')}:" + ("" if value else " none"))
                lines += [f"  {key}: {entry}" for key, entry in value.items()]
            elif isinstance(value, list):
                lines.append(f"{name.replace('_', ' ')}:" + ("" if value else " none"))
                lines += [f"  {entry}" for entry in value]
            else:
                lines.append(f"{name.replace('_', ' ')}: {value}")
        return "\n".join([*lines, f"data equal: {'yes' if self.data_equal else 'no'}"])


def different(calm: Fingerprint, disturbed: Fingerprint) -> dict[str, list[Any]]:
    """Rows or keys, and checksum, of each table and cache that is not the same: undisturbed, disturbed."""
    return {name: [calm[name], disturbed[name]] for name in calm if calm[name] != disturbed[name]}


def of_logs(logs: Iterable[Path]) -> tuple[Counter[str], dict[str, Counter[str]], list[str]]:
    """Return lines by event, reasons by event, and what no fault excuses: errors with a traceback."""
    events: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    defects: Counter[str] = Counter()
    for path in logs:
        for text in re.split(r"\n(?=\{)|(?<=\})\n", path.read_text("utf-8", errors="replace").strip()):
            try:
                line = json.loads(text or "{}")
            except json.JSONDecodeError:
                defects[f"no log line: {text[-600:]}"] += 1
                continue
            if not line:
                continue
            event = line["event"]
            events[event] += 1
            if event in WITH_REASONS:
                reasons.setdefault(event, Counter())[without_numbers(str(line.get("reason")))] += 1
            if line["level"] == "CRITICAL" or (line["level"] == "ERROR" and line.get("exception")):
                defects[f"{event}: {without_numbers(str(line.get('exception')))[-300:]}"] += 1
    counted = Counter({name: events[name] for name in COUNTED if events[name]})
    return counted, reasons, [f"{count} x {text}" for text, count in defects.most_common(20)]


def without_numbers(reason: str) -> str:
    """The reason with what differs from part to part taken out."""
    return re.sub(r"\b(?=[\w.:/-]*\d)[\w.:/-]+", "#", reason)[:160]


async def of_ledger(workload: Workload) -> dict[str, Any]:
    """Return cycles by state, the highest fence, the parts that failed and were tried again, and the dead letters."""
    async with workload.ledger() as db:
        cycles = await db.fetch("SELECT state, count(*) AS n FROM cycle GROUP BY 1 ORDER BY 1")
        short = await db.fetch("SELECT * FROM cycle WHERE state <> 'complete' ORDER BY cycle_id")
        letters = await db.fetch(
            "SELECT stream, task, part, reason, deliveries, state FROM dead_letter ORDER BY dead_at"
        )
        again = await db.fetch("SELECT task, count(*) AS n FROM part WHERE attempt > 1 GROUP BY 1 ORDER BY 1")
        return {
            "cycles": {row["state"]: row["n"] for row in cycles},
            "cycles_not_complete": [
                f"{row['cycle_id']} {row['state']}: {row['reason'] or ''} {list(row['missing'])[:4]}" for row in short
            ],
            "deliveries": await db.fetchval("SELECT coalesce(max(fence), 0) FROM part"),
            "parts_with_failed_attempts": {row["task"]: row["n"] for row in again},
            "dead_letters": [dict(row) for row in letters],
        }


async def of_consumers(workload: Workload) -> dict[str, int]:
    """Return how many consumers each group knows, and how many of those hold anything."""
    found = {}
    async with workload.redis() as redis:
        for stream in ("maintenance:tasks", "market:session"):
            rows: Any = await redis.xinfo_consumers(stream, "maintenance")
            found[stream] = len(rows)
            found[f"{stream}, holding entries"] = sum(row["pending"] > 0 for row in rows)
    return found
