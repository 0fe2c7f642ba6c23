"""Names the states of the ledger's rows, as the database's own constraints do.

A cycle's states are on the wire too, so they stand in contract/reports; a part's and a letter's are nobody else's.
"""

from __future__ import annotations

from enum import StrEnum

from contract.reports import CycleState


class PartState(StrEnum):
    """How far a part is."""

    BLOCKED = "blocked"  # waits for other parts
    READY = "ready"  # its message is sent, or is to be sent
    RUNNING = "running"
    RETRYING = "retrying"  # it failed, and its message waits for its time
    DONE = "done"
    NOT_YET = "not_yet"  # the vendor has not published it
    FAILED = "failed"
    SUPERSEDED = "superseded"  # a newer plan brings it, or nothing does
    CANCELLED = "cancelled"  # by a person


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"  # nobody has seen to it
    REPLAYED = "replayed"
    DROPPED = "dropped"


#: Of parts that are not over. Statements spell them out: only so does PostgreSQL use the index on open parts.
OPEN_STATES = (PartState.BLOCKED, PartState.READY, PartState.RUNNING, PartState.RETRYING)
#: Of cycles that nobody goes on with.
CALLED_OFF = (CycleState.SUPERSEDED, CycleState.CANCELLED)
