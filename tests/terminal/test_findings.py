"""Runs `maintenance findings` as a person does: list, accept what stands, take what was kept aside."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from consumer.postgres import bars, findings
from consumer.postgres.findings import Contested, Report
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.vendor.rows import DailyRow
from contract import data_sets
from market.findings import Finding, Kind

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool
    from tests.terminal.conftest import Run

DAY = dt.date(2025, 11, 11)
NOW = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
COMMAND = "consumer.terminal"


def row(symbol: str, close: float) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close, l=close, c=close, v=1000.0, t=0)


async def fill(pool: Pool) -> None:
    """A session of two rows; one finding about what stands, and one answer that was not taken."""
    async with pool.acquire() as connection, connection.transaction():
        await bars.replace_bars(connection, DAY, [row("A", 1.0), row("B", 2.0)], load_id=1)
        prices = Finding(kind=Kind.PRICES, reason="the median close is 0.3 times that of 2025-11-10")
        await findings.report(connection, data_sets.DAILY_BARS, DAY, Report(finding=prices, load_id=1, now=NOW))
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=Finding(kind=Kind.ROWS, reason="2 rows", symbols=("A", "B")),
                load_id=2,
                now=NOW,
                contested=Contested(rows=[row("A", 9.0)], gone=["B"]),
                contested_at=NOW,
            ),
        )


async def test_findings_are_listed_accepted_and_taken_by_name(run: Run, postgres_dsn: str) -> None:
    async with await open_pool(postgres_dsn, lease=dt.timedelta(seconds=10), size=2) as pool:
        await migrate(pool)
        await fill(pool)
        code, out, _ = await run(COMMAND, "findings", "list", "--json")
        assert (code, [one["kind"] for one in json.loads(out)]) == (3, ["prices_off", "rows_contradict"])
        code, _, err = await run(COMMAND, "findings", "accept", "1", "--reason", "so it was", "--take-new")
        assert (code, "nothing was kept aside" in err) == (2, True)
        code, out, _ = await run(COMMAND, "findings", "accept", "1", "--reason", "so it was", "--by", "ann")
        assert (code, out) == (0, "1 2025-11-11 prices_off: what stands was accepted\n")
        code, _, err = await run(COMMAND, "findings", "accept", "1", "--reason", "again")
        assert (code, "it is not open" in err) == (3, True)
        code, out, _ = await run(COMMAND, "findings", "accept", "2", "--reason", "theirs is right", "--take-new")
        assert (code, "was taken" in out) == (0, True)
        stored = await pool.fetch("SELECT symbol, close FROM daily_bar")
        assert [tuple(row) for row in stored] == [("A", 9.0)]
        code, out, _ = await run(COMMAND, "findings", "list", "--all")
        assert (code, "accepted by ann: so it was" in out) == (0, True)
