"""Runs `maintenance boundary` as a person does: list what prices propose, accept, take back; and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from consumer.postgres import bars, boundaries
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.vendor.rows import DailyRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.postgres.pool import Pool
    from tests.terminal.conftest import Run

BEFORE, DAY, AFTER = dt.date(2025, 11, 10), dt.date(2025, 11, 11), dt.date(2025, 11, 12)
NOW = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
WHY = ("--reason", "Form 10", "--by", "ann")


async def fill(pool: Pool) -> None:
    """MO on both sessions and for a third of the price on the second; IPO since the second; QUIET before and after."""
    async with pool.acquire() as connection, connection.transaction():
        for day, closes in ((BEFORE, {"MO": 73, "QUIET": 5}), (DAY, {"MO": 23, "IPO": 9}), (AFTER, {"QUIET": 5})):
            rows = [DailyRow(T=symbol, o=c, h=c, l=c, c=c, v=100.0, t=0) for symbol, c in closes.items()]
            await bars.replace_bars(connection, day, rows, load_id=1)
        await boundaries.propose(connection, DAY, [("MO", "opened at 23, 0.315 times 73")], now=NOW)


async def test_boundaries_are_listed_accepted_and_taken_back_by_symbol_and_session(run: Run, postgres_dsn: str) -> None:
    async def boundary(*words: str) -> tuple[int, str, str]:
        return await run("consumer.terminal", "boundary", *words)

    async with await open_pool(postgres_dsn, lease=dt.timedelta(seconds=10), size=2) as pool:
        await migrate(pool)
        await fill(pool)
        code, out, _ = await boundary("list")
        assert (code, "opened at 23, 0.315 times 73" in out) == (0, True)
        code, out, _ = await boundary("accept", "MO", "2025-11-11", *WHY)
        assert (code, "made of nothing before it" in out) == (0, True)
        assert await boundaries.cuts(pool, up_to=DAY) == {"MO": DAY}
        code, _, err = await boundary("list")
        assert (code, err) == (0, "no boundary is proposed\n")
        code, _, err = await boundary("accept", "MO", "2025-11-11", *WHY)
        assert (code, "is accepted already" in err) == (3, True)
        code, out, _ = await boundary("reject", "MO", "2025-11-11", "--reason", "a mistake", "--by", "bob")
        assert (code, "goes on across it" in out) == (0, True)
        assert await boundaries.cuts(pool, up_to=DAY) == {}
        code, out, _ = await boundary("list", "--all", "--json")
        (one,) = json.loads(out)
        assert (one["state"], one["decided_by"], one["decided_reason"]) == ("rejected", "bob", "a mistake")
        assert one["evidence"] == "opened at 23, 0.315 times 73", "what was seen stays"
        await refused(boundary)


async def refused(boundary: Callable[..., Awaitable[tuple[int, str, str]]]) -> None:
    for symbol, day, told in (
        ("XYZ", "2025-11-11", "XYZ has no bar at all"),
        ("IPO", "2025-11-11", "IPO has no bar before 2025-11-11: there is nothing to keep apart"),
        ("QUIET", "2025-11-11", "its next one is of 2025-11-12: give the first session of the new series"),
        ("MO", "2025-11-12", "MO has no bar of 2025-11-12, none since"),
        ("MO", "soon", "soon"),
        ("M\0O", "2025-11-11", "symbol"),
    ):
        code, _, err = await boundary("accept", symbol.replace("\0", "\n"), day, *WHY)
        assert (code, told.lower() in " ".join(err.split()).lower()) == (2, True), err
    code, _, err = await boundary("accept", "MO", "2025-11-11")
    assert (code, "reason" in err.lower()) == (2, True)
