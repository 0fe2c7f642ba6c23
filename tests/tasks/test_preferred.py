"""Preferred shares: the listing writes BACpB, bars may write BACPB, and both are one symbol here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.volume_slots import load_batch, plan_parts
from consumer.vendor.rows import DailyRow, GroupedDaily, RangeBars
from market.volume_slots import slot_start_ms
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk


async def test_a_preferred_share_is_one_symbol_under_both_spellings(desk: Desk) -> None:
    await desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, true, $2, $3, $3)",
        [(symbol, DAY, NOW) for symbol in ("BACpB", "BAC", "KIMp", "PFE")],
    )
    rows = [DailyRow(T=name, o=1, h=1, l=1, c=1, v=5, t=0) for name in ("BACPB", "BAC", "KIMp", "PFE")]
    desk.vendor.answers["grouped_daily"] = GroupedDaily(day=DAY, rows=rows)
    await desk.run(load_session_bars, {"session": DAY.isoformat()})
    stored = await desk.pool.fetch("SELECT symbol FROM daily_bar ORDER BY 1")
    assert [row["symbol"] for row in stored] == ["BAC", "BACpB", "KIMp", "PFE"]

    parts = (await desk.run(plan_parts)).spawned
    assert [(part.payload["symbols"], part.after) for part in parts] == [
        (["BAC", "PFE"], ()), (["BACpB", "KIMp"], ("daily_bars",)),
    ]  # fmt: skip
    at = slot_start_ms(CALENDAR.session(DAY))
    desk.vendor.answers["five_minute_bars"] = lambda *_: RangeBars(
        timestamps_ms=np.array([at]), volumes=np.array([7.0]), request_ids=(), pages=1, foreign=0
    )
    await desk.run(load_batch, {"symbols": ["BACpB", "KIMp"]})
    asked = [call[1] for call in desk.vendor.asked if call[0] == "five_minute_bars"]
    assert asked == ["BACPB", "KIMp"]
    slots = await desk.pool.fetch("SELECT DISTINCT symbol FROM session_slots ORDER BY 1")
    assert [row["symbol"] for row in slots] == ["BACpB", "KIMp"]
