"""What stands of a month, as one value: all that its report is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from consumer.health_report.month import Month
from consumer.postgres.month_evidence import LettersOf, RestatedOn, SampledOn, SettledBy, SettledFinding
from consumer.postgres.run_figures import CyclesEnded, Origin, TaskWork
from consumer.verdict.reading import Judged


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a session beside its verdict: since when it is in which state."""

    state: str
    since: dt.datetime


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the working records say of the month: nothing that retention has deleted is among them."""

    restated: tuple[RestatedOn, ...] = ()
    settled: tuple[SettledBy, ...] = ()
    findings: tuple[SettledFinding, ...] = ()
    letters: tuple[LettersOf, ...] = ()
    sampled: tuple[SampledOn, ...] = ()
    cycles: tuple[CyclesEnded, ...] = ()
    requests: Mapping[str, int] = {}
    work: tuple[TaskWork, ...] = ()
    backfills: tuple[Origin, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """By what it is known how far back the working records reach.

    *deleted_before*: what ended before it retention has deleted, None where it never ran. *first_ends*: see
    `run_figures.first_ends`.
    """

    deleted_before: dt.datetime | None = None
    first_ends: tuple[dt.datetime, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The month, the verdicts on its sessions, and what stands beside them.

    *settled_last*: when the last finding against a session was settled. *origins*: why there were the cycles that
    brought what stands of the sessions.
    """

    month: Month
    judged: Judged
    noted: Mapping[dt.date, Noted] = {}
    settled_last: Mapping[dt.date, dt.datetime] = {}
    origins: Mapping[int, Origin] = {}
    kept: Kept = Kept()
    evidence: Evidence = Evidence()
    source: str | None = None

    @property
    def now(self) -> dt.datetime:
        return self.judged.ruler.now
