"""Declares what every verb answers with --json, and writes it: one document on standard output, two spaces deep.

`maintenance schema VERB` prints the same as JSON Schema. A refusal is `Refusal` for every verb; a verb that stays
(`export --follow`, `run`, `status --watch`) writes a document a line.
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import msgspec

from consumer.checks.finding import Finding
from consumer.checks.pending_work import PendingWork
from consumer.completeness.caches import CacheFinding
from consumer.completeness.forecast import Forecast
from consumer.export.outcome import Exported
from consumer.health_report.report import Report
from consumer.page.symbol import Symbol
from consumer.postgres.adoption import Adopted
from consumer.postgres.boundaries import Boundary
from consumer.postgres.boundaries import State as BoundaryState
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.findings import KeptFinding
from consumer.vendor.first_contact import ContactReport
from consumer.verdict.states import DataSetVerdict
from consumer.web.monitor import Status
from contract.messages import TaskName
from contract.reports import CycleState, SessionState


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer; *exit_code* is that of the command."""

    error: str
    exit_code: int


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle of `run` has left, and what is to be said of its session."""

    trading_day: dt.date
    cycle: int
    state: CycleState
    session: SessionState
    sentence: str
    missing: list[str]
    warnings: list[str]
    requests: dict[str, int]
    rows: dict[str, int]
    keys: dict[str, int]


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """The stream entry that asks for it; the rest, but for the first three, is known with --wait alone."""

    entry_id: str
    trading_day: dt.date
    task: TaskName
    cycle: int | None = None
    state: CycleState | None = None
    session: SessionState | None = None
    sentence: str | None = None
    missing: list[str] = []


class CoverageRow(DataSetVerdict, frozen=True, kw_only=True):
    """One data set of one session. With --symbol the counts are of that symbol: 1 or 0."""

    trading_day: dt.date
    is_gap: bool


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill would touch and cost; *entry_id* asks for it: None where nothing was asked."""

    first: dt.date
    last: dt.date
    sessions: int
    task: TaskName
    gaps: list[CoverageRow]
    total: int
    forecast: Forecast
    entry_id: str | None


class Planned(Forecast, frozen=True, kw_only=True):
    """What the next cycle will ask."""

    due_at: dt.datetime
    rule: str
    requests_in_all: int = msgspec.field(name="total")


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    cycle: int
    trading_day: dt.date
    occasion: str


class Resent(msgspec.Struct, frozen=True, kw_only=True):
    """A letter and the fields of the message that asks again; *sent* false: only said."""

    dead_letter_id: int
    sent: bool
    fields: dict[str, str]


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    dead_letter_id: int
    dropped: bool
    reason: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a person has settled; *took_new*: by the answer that was kept aside."""

    finding_id: int
    trading_day: dt.date
    kind: str
    took_new: bool


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    day: dt.date
    state: BoundaryState


class AdoptedSource(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data both servers hold from now on, and what was known before."""

    source: str
    mark: str
    before: str


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied just now, and whom the tables serve."""

    applied: list[str]
    adopted: list[Adopted]
    version: int
    oldest_served: int
    program: int
    prices: str | None
    to_be_applied: list[str]


class UsualAt(msgspec.Struct, frozen=True, kw_only=True):
    """The volume that has usually accumulated by *at*, New York time: Redis's, PostgreSQL's, and the newest session's.

    *field* of *key* has it. *slot* counts five minutes from 04:00; it ends at *at*.
    """

    at: str
    slot: int
    key: str
    field: str
    cached: float | None
    stored: float | None
    newest: float | None


class SymbolShown(Symbol, frozen=True, kw_only=True):
    """One symbol; *usual* where --at asks for it."""

    usual: UsualAt | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    shell: str
    script: str


ANSWERS: dict[str, Any] = {
    "run": Ran,
    "status": Status,
    "trigger": Triggered,
    "backfill": Backfilled,
    "coverage": list[CoverageRow],
    "gaps": list[CoverageRow],
    "pending": PendingWork,
    "dead-letters list": list[KeptLetter],
    "dead-letters replay": list[Resent],
    "dead-letters drop": list[Dropped],
    "findings list": list[KeptFinding],
    "findings accept": Settled,
    "boundary list": list[Boundary],
    "boundary accept": Decided,
    "boundary reject": Decided,
    "cancel": list[Cancelled],
    "verify": list[CacheFinding],
    "doctor": list[Finding],
    "doctor --live": ContactReport,
    "plan": Planned,
    "report": Report,
    "symbol": SymbolShown,
    "export": list[Exported],
    "adopt": AdoptedSource,
    "migrate": Migrated,
    "completion": Completion,
    "refusal": Refusal,
}
#: What stays until it is told to stop, and answers nothing but its log; or answers JSON as it is.
WITHOUT_ANSWER = ("worker", "schema")


def write_json(answer: Any, *, line: bool = False) -> None:
    """Write *answer*; as one *line* where others follow."""
    encoded = msgspec.json.encode(answer)
    sys.stdout.write((encoded if line else msgspec.json.format(encoded)).decode() + "\n")
    sys.stdout.flush()


def schema_of(verb: str) -> dict[str, Any]:
    """Return the JSON Schema of what *verb* answers. Raises KeyError."""
    return msgspec.json.schema(ANSWERS[verb], schema_hook=lambda _: {"description": "any value"})
