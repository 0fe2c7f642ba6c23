"""Says what a person asks for on the page, with who and why: the bodies of its POSTs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.messages import TaskName
from contract.plain_text import require_plain, require_reason

MOST_LETTERS = 2_000
_Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """*by* whom and for which *reason*, as the record keeps them."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        require_plain("by", self.by)
        require_reason("reason", self.reason)


class Asked(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker is asked for: the request names both, in the one line that it has for who asks."""

    @property
    def requested_by(self) -> str:
        return f"{self.by}: {self.reason}"

    def __post_init__(self) -> None:
        require_plain("by and reason together", self.requested_by)


class AskedBackfill(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /page/backfill: the sessions, and the parts that its forecast showed."""

    first: dt.date
    last: dt.date
    task: TaskName = TaskName.CYCLE
    parts: dict[str, int]


class AskedTask(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /page/task: a cycle or a task of a completed session."""

    day: dt.date
    task: TaskName = TaskName.CYCLE
    force: bool = False


class AskedLetters(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /page/letters: the letters that a preview showed, to be sent again or dropped."""

    act: Literal["replay", "drop"]
    ids: Annotated[tuple[_Id, ...], Meta(min_length=1, max_length=MOST_LETTERS)]


class AskedBoundary(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /page/boundary: whether a new series of *symbol* begins on *day*."""

    symbol: str
    day: dt.date
    state: Literal["accepted", "rejected"]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_plain("symbol", self.symbol)


class AskedFinding(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /page/finding: accept what stands, or take the answer that was kept aside."""

    finding_id: _Id
    take_new: bool = False
