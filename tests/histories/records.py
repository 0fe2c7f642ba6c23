"""Defines what a history is made of: each record is taken when it is true, from PostgreSQL's and Redis' own view.

A history is a list of records in the order in which they became true. Nothing in this package knows the product: what
wrote a record down is told by the recorders, tests/simulator/recorder.py and tests/crash/recording.py.
"""

from __future__ import annotations

import msgspec

OPEN = ("blocked", "ready", "running", "retrying")
OVER = ("complete", "partial", "failed", "superseded", "cancelled")
#: States of a session in which readers take it for whole, and nothing is said against it.
CLEAN = ("provisional", "final")
WHOLE = (*CLEAN, "suspect")


class Record(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that became true. *at*: a number of steps, or seconds."""

    at: float


class CycleTurned(Record, frozen=True, kw_only=True):
    """A cycle was opened, or another state or pass of it committed."""

    cycle: int
    day: str
    state: str
    run_pass: int


class PartTurned(Record, frozen=True, kw_only=True):
    """A part was planned, or its state was written, by a transaction that committed."""

    cycle: int
    part: str
    state: str
    run_pass: int


class Begun(Record, frozen=True, kw_only=True):
    """A part was put under a new fence token."""

    cycle: int
    part: str
    fence: int
    by: str


class Written(Record, frozen=True, kw_only=True):
    """Rows of a part committed, which bear the token under which they were fetched."""

    cycle: int
    part: str
    fence: int
    rows: int


class Held(Record, frozen=True, kw_only=True):
    """So many rows of a data set of a day are committed."""

    day: str
    data_set: str
    rows: int


class Asked(Record, frozen=True, kw_only=True):
    """A request for work stands in the stream; *day*: of which trading day, where it says so."""

    entry: str
    day: str | None


class Gone(Record, frozen=True, kw_only=True):
    """A message left the stream by the hand of the process *by*; *holder*: who had it, if anybody.

    *cycle* and *part* are those of a part's message. *leads*: another message of the same work is in Redis.
    *withdrawn*: its cycle was called off, and whoever did that took it back.
    """

    entry: str
    by: str
    holder: str | None
    cycle: int | None = None
    part: str | None = None
    leads: bool = False
    withdrawn: bool = False


class Taken(Record, frozen=True, kw_only=True):
    """A message left the stream by a fault: nobody of the product is to answer for it."""

    entry: str


class Buried(Record, frozen=True, kw_only=True):
    """A message is among the dead letters of the database."""

    entry: str


class Published(Record, frozen=True, kw_only=True):
    """The day's key says *state* now; None: it is not there.

    *claims*: the rows that it vouches for, by data set. *as_of*: where the history stood when its writer began to read.
    """

    day: str
    state: str | None
    claims: dict[str, int] = {}
    as_of: float


class FindingTurned(Record, frozen=True, kw_only=True):
    """Something was found against a session's data, or that was settled."""

    number: int
    day: str
    is_open: bool


class Faulted(Record, frozen=True, kw_only=True):
    """A fault was injected."""

    kind: str


History = list[Record]


def told(record: Record) -> str:
    """One line for people."""
    facts = msgspec.structs.asdict(record)
    at = facts.pop("at")
    return f"{at:10.13g}  {type(record).__name__:<14} " + " ".join(f"{name}={value}" for name, value in facts.items())
