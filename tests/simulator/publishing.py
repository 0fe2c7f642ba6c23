"""Lets simulated processes publish verdicts: the product's own Reporter and Publisher, with a judge of simulated rows.

What a real verdict is made of takes a dozen queries of tables that the simulated parts do not fill. Taking turns, what
is read in which order, and what is written where, is the product's.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from consumer.cycle import publication
from consumer.cycle.reporting import Reporter
from consumer.postgres.holdings import Holdings
from consumer.postgres.holdings_reader import read_version
from consumer.verdict.in_all import condition_of
from consumer.verdict.judge import ruler_of
from consumer.verdict.reading import Judged
from consumer.verdict.states import DataSetVerdict, SessionState, SessionVerdict
from contract import data_sets as sets

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from consumer.postgres.cycles import Cycle
    from consumer.verdict.ruler import Expectations, Ruler
    from contract.reports import MaintenanceEvent
    from tests.simulator.workload import Workload


class VerdictsOnly(Reporter):
    """Publishes what the days are; the events along the way would only be more steps."""

    async def tell(self, happened: MaintenanceEvent) -> None:
        """Nobody listens."""

    async def pass_ended(self, cycle: Cycle) -> None:
        await self.judge(cycle.trading_day)


class SimulatedJudge:
    """Judges days by the rows of a workload, and what is open against them."""

    def __init__(self, workload: Workload) -> None:
        self._expected = sum(part.rows for part in workload.parts)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Judge in place of consumer/verdict."""
        with (
            patch.object(publication, "judge_sessions", self.judge_sessions),
            patch.object(publication, "judge_window", self.judge_window),
            patch.object(publication, "read_day_status", self.read_day_status),
        ):
            yield

    async def judge_window(
        self, connection: Any, expectations: Expectations, *, now: dt.datetime, also: Sequence[dt.date] = ()
    ) -> Judged:
        front = ruler_of(Holdings(), expectations, now).front
        return await self.judge_sessions(connection, expectations, now=now, days=sorted({front, *also}))

    async def judge_sessions(
        self, connection: Any, expectations: Expectations, *, now: dt.datetime, days: Sequence[dt.date]
    ) -> Judged:
        version = await read_version(connection)
        rows = await connection.fetch(
            "SELECT day, "
            "(SELECT count(DISTINCT (task, part, number)) FROM simulated_row WHERE trading_day = day) AS rows, "
            "EXISTS (SELECT FROM session_finding WHERE trading_day = day AND state = 'open') AS suspect "
            "FROM unnest($1::date[]) AS day",
            list(days),
        )
        ruler = ruler_of(Holdings(version=version), expectations, now)
        verdicts = {row["day"]: self._verdict(row["day"], row["rows"], row["suspect"], ruler) for row in rows}
        return Judged(verdicts=verdicts, holdings=Holdings(version=version), ruler=ruler)

    def _verdict(self, day: dt.date, rows: int, suspect: bool, ruler: Ruler) -> SessionVerdict:
        state = self.state_of(rows, suspect=suspect)
        due_at, final_at = ruler.first_due(day), ruler.final_at(day)
        condition = condition_of(state, pending=False)
        bars = DataSetVerdict(
            data_set=sets.DAILY_BARS, state=state, condition=condition, due_at=due_at, expected=self._expected,
            loaded=rows, missing=self._expected - rows, why="something was found" if suspect else None,
        )  # fmt: skip
        return SessionVerdict(
            trading_day=day, state=state, condition=condition, due_at=due_at, final_at=final_at, data_sets=(bars,)
        )  # fmt: skip

    def state_of(self, rows: int, *, suspect: bool) -> SessionState:
        if not rows:
            return SessionState.MISSING
        if rows < self._expected:
            return SessionState.PARTIAL
        return SessionState.SUSPECT if suspect else SessionState.FINAL

    async def read_day_status(self, connection: Any, verdict: SessionVerdict, since: Any, *, now: dt.datetime) -> Any:
        """Without what its cycles have done."""
        return publication.day_status(verdict, since, publication.Runs(), now=now)
