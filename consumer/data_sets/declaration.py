"""Says of what the declaration of a data set consists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from consumer.data_sets.situation import Situation
from consumer.data_sets.tables import Table
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from consumer.tasks.part import Handler
from consumer.tasks.redis_sync import Cache
from consumer.vendor.questions import Question
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection


class Covers(Enum):
    """Of what a data set has one answer: this decides how it is measured, and what is missing of it by default."""

    #: A session's rows of the whole market; a load for each session.
    SESSION = "a session"
    #: A row a session and symbol, also where nobody traded: its rows say themselves what there is.
    SYMBOL_AND_SESSION = "a session and symbol"
    #: What comes in the answers about those rows and stands in them. Nobody asks for it by itself, and a session is
    #: whole without it: its verdict is told beside the session's.
    BESIDE = "a session and symbol, in its row"
    #: A row a symbol, each asked for in a phase of its own.
    SYMBOL = "a symbol"
    #: What is so at present; it describes the newest session, or what came after it.
    PRESENT = "the present"
    #: What is computed as of the newest session; older sessions are not computed again.
    NEWEST_SESSION = "the newest session"
    #: A note in the ledger that something has changed, made beside another data set: nothing brings it by itself.
    NOTE = "a change"


class Asked(Enum):
    """Whom a part asks: one that computes from what is stored is not held up by anybody's absence."""

    NOBODY = "nobody"
    VENDOR = "the vendor's API"
    BUCKET = "the vendor's flat files"


class PartKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of part: *name* is what stands before the colon of a part's name, *run* runs one.

    *after*: data sets whose parts of the same pass go first, or one stage as "task/stage". *stage* is what others wait
    for: the name, unless several kinds share one. *shows*: what an answer to it, or a refusal, shows about the vendor's
    plan. *asks*: which endpoint, and *requests* how many times a part; a data set's own `cost` outranks that.
    """

    name: str
    run: Handler
    after: tuple[str, ...] = ()
    stage: str | None = None
    asked: Asked = Asked.NOBODY
    asks: Question | None = None
    requests: int = 1
    shows: Capability | None = None


Missing: TypeAlias = Callable[[Situation], list[PartPlan]]
Facts: TypeAlias = "Callable[[Connection, Situation], Awaitable[Any]]"
Cost: TypeAlias = "Callable[[Situation, Sequence[PartPlan]], Mapping[Question, int]]"
Gap: TypeAlias = "Callable[[Situation, Sequence[PartPlan], Excuses], list[str]]"
Window: TypeAlias = Literal["ohlc_sessions", "slot_sessions"]


class Excuses(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pass ended without something: *reasons* by kind of part, and what the vendor's plan brings later.

    *later* names the data sets, *later_days* the sessions of which it brings the slots later.
    """

    reasons: Mapping[tuple[str, str], str] = {}
    later: frozenset[str] = frozenset()
    later_days: frozenset[dt.date] = frozenset()

    def because(self, task: str, *kinds: str) -> str:
        """ ": why" of the first of *kinds* that ended with a reason; nothing where none did."""
        reason = next((self.reasons[task, kind] for kind in kinds if (task, kind) in self.reasons), None)
        return f": {reason}" if reason else ""


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """One data set.

    *made_from*: newer data of one of these make it stale. *planned_with*: when one of these is planned, so is it.
    *needs_known*: what must have been loaded once before it can be planned at all. *window*: how many sessions are kept
    of it, by the option's name. *missing* returns the parts that would bring what lacks, a pure function; the default
    follows from what it covers. *reads* reads what that wants to know beside the ledger's coverage, and is not asked
    when something of *known_later* is planned, after which it has to be read anew by a part of the pass.

    *cost*: what its parts would ask, where a count of them does not say it; *assumes*: on what condition.
    *capability*: without it the vendor's plan never brings this. *in_verdict*: a session that lacks it is not whole.
    *counted_as*: in what its gaps are counted. *piecemeal*: it is asked for symbol by symbol. *gap* says in words what
    the planned parts would bring. *watches*: inputs whose change alone has it computed again, without waiting for a
    cycle.
    """

    name: str
    task: TaskName
    covers: Covers
    meaning: str
    kinds: tuple[PartKind, ...] = ()
    made_from: tuple[str, ...] = ()
    planned_with: tuple[str, ...] = ()
    needs_known: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    window: Window | None = None
    missing: Missing | None = None
    reads: Any = None  # Facts
    known_later: tuple[str, ...] = ()
    cost: Any = None  # Cost
    assumes: str = ""
    capability: Capability | None = None
    in_verdict: bool = False
    counted_as: str = "symbols"
    piecemeal: Piecemeal | None = None
    gap: Any = None  # Gap
    tables: tuple[Table, ...] = ()
    caches: tuple[Cache, ...] = ()

    @property
    def is_asked_for(self) -> bool:
        """Whether anybody outside is asked for it."""
        return any(kind.asked is not Asked.NOBODY for kind in self.kinds)

    @property
    def is_of_sessions(self) -> bool:
        """Whether each session has its own."""
        return self.covers in (Covers.SESSION, Covers.SYMBOL_AND_SESSION, Covers.BESIDE)

    @property
    def counted_table(self) -> Table | None:
        """The table whose rows of a session are counted, to see what somebody has deleted; a note has none."""
        if self.covers is Covers.NOTE:
            return None
        return next((table for table in self.tables if table.day_column is not None), None)


class Piecemeal(msgspec.Struct, frozen=True, kw_only=True):
    """Asked for symbol by symbol: by parts of *kind*, which take *a_pass*(most) of what a pass may ask for."""

    kind: str
    a_pass: Callable[[int], int]
