"""Decides of one table of one session whether it is exported, and reads it where its file says something else.

The verdict decides: a data set that is whole is written, with how sound it is; what is missing or partial is told and
never written as fewer rows. All of a session is read in one repeatable-read transaction: its files are of one instant.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from consumer.export.described import Described
from consumer.export.exportable import Exportable
from consumer.export.frames import Rows, digest
from consumer.export.outcome import Exported, Outcome
from consumer.postgres import packaged
from consumer.postgres.copy_columns import take_columns
from consumer.postgres.exported import Piece, covered_by, read_rows, standing
from consumer.verdict.states import WHOLE, SessionState, SessionVerdict

if TYPE_CHECKING:
    import polars as pl

    from consumer.postgres.exported import CoveredBy, Standing
    from consumer.postgres.pool import Connection
    from consumer.verdict.states import DataSetVerdict


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One file: of *one*, of the session that *verdict* is on (None: of the present), as it was *known* before."""

    one: Exportable
    verdict: SessionVerdict | None
    known: Described | None
    source: str
    now: dt.datetime

    @property
    def day(self) -> dt.date | None:
        return None if self.verdict is None else self.verdict.trading_day

    @property
    def own(self) -> DataSetVerdict | None:
        """The data set's part of the verdict; None where it has none."""
        return None if self.verdict is None else self.verdict.of(self.one.data_set.name)

    def told(self, outcome: Outcome, *, rows: int = 0, size: int = 0, why: str | None = None) -> Exported:
        return Exported(
            data_set=self.one.folder,
            trading_day=self.day,
            outcome=outcome,
            key=self.one.key(self.day),
            state=None if self.own is None else self.own.state.value,
            rows=rows,
            bytes=size,
            why=why,
        )


class Unwritten(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as the server sent them, and what their file is to say, but for their digest."""

    wanted: Wanted
    about: Described
    pieces: deque[bytes]

    def framed(self) -> tuple[pl.DataFrame, Described]:
        """The rows, and what their file says; once, for the pieces are used up. Raises Unreadable."""
        types = self.wanted.one.types
        rows = Rows(types)
        take_columns(self.pieces, list(types.values()), rows.take)
        frame = rows.frame()
        return frame, msgspec.structs.replace(self.about, sha256=digest(frame))


async def read(connection: Connection, wanted: Wanted) -> Exported | Unwritten:
    """Return what became of it, or what is to be written."""
    if (lacking := _lacking(wanted)) is not None:
        return lacking
    one = wanted.one
    piece = Piece(
        table=one.table.name, types=one.types, order=one.order, day_column=one.table.day_column, day=wanted.day
    )
    stands = await standing(connection, piece)
    if not stands.rows:
        return wanted.told(Outcome.NONE)
    covered = await covered_by(connection, one.data_set.name, wanted.day)
    about = _about(wanted, stands, covered).stamped(stands.content)
    if wanted.known is not None and wanted.known.stamp == about.stamp:
        return wanted.told(Outcome.UNCHANGED, rows=stands.rows)
    return Unwritten(wanted=wanted, about=about, pieces=await read_rows(connection, piece))


def _lacking(wanted: Wanted) -> Exported | None:
    """What the verdict does not permit to be written."""
    own = wanted.own
    if own is None or own.state in WHOLE:
        return None
    if own.state is SessionState.RETIRED:
        return wanted.told(Outcome.RETIRED)
    outcome = Outcome.PARTIAL if own.state is SessionState.PARTIAL else Outcome.MISSING
    lacks = f"{own.missing or own.unproven:,} of {own.expected:,} lack" if own.expected else None
    return wanted.told(outcome, why=own.why or (lacks if outcome is Outcome.PARTIAL else None))


def _about(wanted: Wanted, stands: Standing, covered: CoveredBy | None) -> Described:
    own, verdict = wanted.own, wanted.verdict
    soundness = own or verdict
    return Described(
        data_set=wanted.one.data_set.name,
        table=wanted.one.table.name,
        trading_day=wanted.day,
        state=None if own is None else own.state.value,
        condition=None if own is None else own.condition.value,
        session_state=None if verdict is None else verdict.state.value,
        session_condition=None if verdict is None else verdict.condition.value,
        final=soundness is not None and soundness.state is SessionState.FINAL,
        rows=stands.rows,
        loads=stands.loads,
        covered_by=None if covered is None else covered.load_id,
        fetched_at=covered.fetched_at if covered is not None else None if own is None else own.since,
        source=wanted.source,
        columns=dict(wanted.one.types),
        schema_version=packaged.version(),
        exported_at=wanted.now,
    )
