"""Says what a finding of the page is, and what was read to find it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from consumer.checks.pending_work import PendingWork
from consumer.page.acts import Act
from consumer.page.calendar import Doing
from consumer.postgres.boundaries import Boundary
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.findings import KeptFinding
from consumer.postgres.letter_causes import Cause
from consumer.verdict.reading import Judged


class Kind(StrEnum):
    """What sort of finding it is."""

    GAP = "gap"
    SUSPECT = "suspect"
    DEAD_LETTERS = "dead letters"
    BOUNDARY = "boundary"
    CACHES = "caches"
    STUCK = "stuck"
    ACCEPTED = "accepted"
    NOT_IN_PLAN = "not in this plan"


class Prescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding: *title*, the *cause* in words, the *command* that heals it, and how to see that it did (*recheck*).

    *first* to *last* are the sessions it is about; *fillable*: a backfill of them heals it; *acts*: what a person may
    have done about it with a click. *repairable* is False where nothing of ours brings it, or nothing is to: *by* whom
    and why (*said*). *since*: of a gap, when it was due; of what was accepted, when it was.
    """

    kind: Kind
    title: str
    cause: str
    command: str | None = None
    recheck: str | None = None
    since: dt.datetime | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    count: int = 1
    repairable: bool = True
    fillable: bool = False
    examples: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    by: str | None = None
    said: str | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for them. *pending* is None where Redis does not answer."""

    judged: Judged
    findings: Sequence[KeptFinding] = ()
    accepted: Sequence[KeptFinding] = ()
    letters: Sequence[KeptLetter] = ()
    causes: Sequence[Cause] = ()
    boundaries: Sequence[Boundary] = ()
    caches: bool | None = True
    pending: PendingWork | None = None
    under_way: Mapping[tuple[dt.date, str], Doing] = {}
