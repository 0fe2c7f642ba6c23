"""A night reads its window, whatever is stored: every statement of one, at three years of history, by EXPLAIN."""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.session import Session
from tests.cycle.stack import DAY, OPTIONS, new_york, stack_on
from tests.cycle.three_years import SESSIONS, put_three_years
from tests.postgres.rows_read import scans

if TYPE_CHECKING:
    import pytest

    from consumer.postgres.pool import Pool
    from tests.cycle.stack import Clock, Market

# An ATR of this period is of 106 sessions at most: nothing else looks further back.
ATR_PERIOD = 2
SESSIONS_OF_A_WINDOW = 110
# A relation of fewer rows than this does not grow by the night: listings, splits.
GROWS = SESSIONS - 20
EXAMPLES = 3  # of the arguments of each statement


def is_first_look(query: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a process asks for the first time which sessions were touched: once in its life, a row a session."""
    return "session_condition" in query and "coverage" in query and arguments[-1] is None


class Statements:
    """What the sessions with PostgreSQL are asked, once it is wanted: arguments by statement."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wanted = False
        self.asked: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for name in ("execute", "executemany", "fetch", "fetchval", "fetchrow", "copy_from_query"):
            monkeypatch.setattr(Session, name, self._noted(getattr(Session, name), many=name == "executemany"))

    def _noted(self, method: Any, *, many: bool) -> Any:
        @functools.wraps(method)
        async def noted(session: Session, query: str, *arguments: Any, **options: Any) -> Any:
            if self.wanted:
                self.asked[query] += list(arguments[0])[:1] if many else [arguments]
            return await method(session, query, *arguments, **options)

        return noted

    def examples(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Some (statement, arguments) of each statement that reads."""
        reads = ("SELECT", "WITH", "(SELECT", "UPDATE", "DELETE")
        return [
            (query, arguments)
            for query, calls in self.asked.items()
            if query.lstrip().startswith(reads)
            for arguments in list({repr(call): call for call in calls}.values())[:EXAMPLES]
            if not is_first_look(query, arguments)
        ]


async def reads_too_much(pool: Pool, query: str, arguments: tuple[Any, ...], most: dict[str, float]) -> list[str]:
    """The relations of which a scan of the statement goes over more rows than *most*, with how many; nothing stays."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            found = await scans(connection, query, arguments)
        finally:
            await transaction.rollback()
    return [f"{rows} rows of {relation}" for relation, rows in found if rows > most.get(relation, rows)]


async def test_no_statement_of_a_night_reads_more_than_its_window_of_three_years(
    postgres_dsn: str, redis_url: str, market: Market, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(monkeypatch)
    options = msgspec.structs.replace(OPTIONS, atr_period=ATR_PERIOD)
    async with stack_on(postgres_dsn, redis_url, market, clock, options=options) as stack:
        await stack.run_cycle()
        await put_three_years(stack.pool, DAY, newest_window=OPTIONS.ohlc_sessions)
        async with stack.working():
            for night in (12, 13):  # the first judges the history that it finds
                statements.wanted = night == 13
                clock.at = new_york(dt.date(2025, 11, night), "20:30")
                newest = await stack.cycle()
                await stack.catch_up.look()
                assert newest is not None
                assert (await stack.at_rest(after=newest.cycle_id)).state == "complete"
                await stack.reporter.refresh()
                await stack.pool.execute("ANALYZE")
        statements.wanted = False

        rows = await stack.pool.fetch(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND reltuples > $1", GROWS
        )
        most = {row["relname"]: row["reltuples"] * SESSIONS_OF_A_WINDOW / SESSIONS for row in rows}
        assert {
            "daily_bar",
            "session_slots",
            "ticker_atr",
            "part",
            "cycle",
            "coverage",
            "data_load",
            "listed_ticker_history",
            "ticker_profile_history",
        } <= most.keys()
        examples = statements.examples()
        wrong = [
            f"{'; '.join(found)}\n{query}\n"
            for query, arguments in examples
            if (found := await reads_too_much(stack.pool, query, arguments, most))
        ]
    assert len(examples) > 100
    assert not wrong, "\n".join(dict.fromkeys(wrong))
