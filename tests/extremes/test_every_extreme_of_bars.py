"""The same of bars, daily and intraday, and of the envelope around the rows: see test_every_extreme.py."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from consumer.tasks.derived_figures import compute_derived
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.volume_slots import load_batch
from contract import data_sets
from market.bounded_fields import ENDPOINTS
from tests.extremes import oracle
from tests.extremes.findings import assert_each_was_tried, caches, set_aside, strict, value, whole_rows
from tests.extremes.oracle import LOST
from tests.extremes.values import EXTREMES, Case, cases
from tests.extremes.wire import GROUPED, envelope
from tests.tasks.conftest import DAY

if TYPE_CHECKING:
    from tests.extremes.wire import Wire
    from tests.tasks.conftest import Desk


# Daily bars


def bar_of(fields: dict[str, Any]) -> tuple[Any, ...] | None:
    """The bar that must be stored, None where its prices contradict each other."""
    low, high = fields["l"], fields["h"]
    if not (low <= fields["o"] <= high and low <= fields["c"] <= high):
        return None
    session = dt.datetime.combine(DAY, dt.time(5), dt.UTC).timestamp() * 1000  # midnight in New York
    if not session <= fields["t"] < session + 86_400_000:
        return None
    mean = value(fields, "vw")
    return (
        fields["o"], high, low, fields["c"], fields["v"], mean if mean is None or low <= mean <= high else None,
        value(fields, "n"),
    )  # fmt: skip


def bar_lost(case: Case) -> tuple[str | None, str | None] | None:
    fields = oracle.row(case)
    if fields is not None and bar_of(fields) is None:
        return fields["T"], None
    if fields is not None and (mean := value(fields, "vw")) is not None and not fields["l"] <= mean <= fields["h"]:
        return fields["T"], "vw"
    return oracle.lost(case)


async def test_every_extreme_of_a_daily_bar_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("grouped_daily")
    assert_each_was_tried("grouped_daily", tried)
    wire.says[GROUPED] = envelope(case.json for case in tried)
    await wire.desk.run(load_session_bars, {"session": str(DAY)})
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, open, high, low, close, volume, vwap, trades_count FROM daily_bar"
    )
    bars = {fields["T"]: bar for fields in whole_rows(tried) if (bar := bar_of(fields)) is not None}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == bars
    lost = Counter(found for case in tried if (found := bar_lost(case)) is not None)
    # A flag of the bar that is read and not kept.
    assert await set_aside(wire.desk, data_sets.DAILY_BARS) == lost
    await wire.desk.run(compute_derived)
    await wire.desk.pool.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) "
        "SELECT symbol, true, $1, now(), now() FROM daily_bar", DAY,
    )  # fmt: skip
    await caches(wire.desk, data_sets.CACHE_AVERAGE_VOLUMES, data_sets.CACHE_METADATA)
    for symbol, bar in bars.items():
        cached = strict(wire.desk.cache.get(f"ticker:avg_volume:{symbol}"))
        assert cached["avg_volume_5d"] == round(bar[4])
        assert strict(wire.desk.cache.get(f"metadata:ticker:{symbol}"))["last_close"] == bar[3]


# Intraday bars, and the envelope around them


def bars_path(symbol: str) -> str:
    return f"/v2/aggs/ticker/{symbol}/range/5/minute/{DAY}/{DAY}"


async def ask_for_slots(wire: Wire, symbols: list[str]) -> Any:
    wire.desk.options = type(wire.desk.options)(slot_sessions=1, batch=len(symbols))
    await wire.desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, true, $2, $3, $3)",
        [(symbol, DAY, wire.desk.now) for symbol in symbols],
    )
    return await wire.desk.run(load_batch, {"symbols": symbols})


async def slots_of(desk: Desk) -> dict[str, tuple[str, dict[int, float]]]:
    rows = await desk.pool.fetch("SELECT symbol, outcome, volumes FROM session_slots")
    return {
        row["symbol"]: (row["outcome"], {slot: v for slot, v in enumerate(row["volumes"] or ()) if v}) for row in rows
    }


async def trades_of(desk: Desk) -> dict[str, list[int | None]]:
    rows = await desk.pool.fetch("SELECT symbol, trades[73:75] AS three FROM session_slots")
    return {row["symbol"]: row["three"] for row in rows}


NEIGHBOURS = [
    Case("", "range_bars").json.replace(b"1762873200000", b"%d" % (1762873200000 + 300_000 * at)) for at in (1, 2)
]


async def test_every_extreme_of_an_intraday_bar_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("range_bars")
    assert_each_was_tried("range_bars", tried)
    for case in tried:
        body = envelope([NEIGHBOURS[0], case.json, NEIGHBOURS[1]])
        wire.says[bars_path(case.symbol)] = body.replace(b"{", b'{"ticker":"%s",' % case.symbol.encode(), 1)
    await ask_for_slots(wire, [case.symbol for case in tried])
    found, trades = await slots_of(wire.desk), await trades_of(wire.desk)
    lost = Counter[tuple[str | None, str | None]]()
    for case in tried:
        fields = oracle.row(case)
        of_the_day = fields is not None and fields["t"] == 1762873200000
        own = {72: fields["v"]} if fields is not None and of_the_day and fields["v"] else {}
        assert found[case.symbol] == ("traded", {73: 64.5, 74: 64.5} | own), case
        lost[case.symbol, None] += not of_the_day
        count = value(fields, "n") if of_the_day and fields is not None else 0
        lost[case.symbol, "n"] += of_the_day and fields is not None and fields["n"] is LOST
        # A bar with volume is made of a trade at least: none is no count.
        assert trades[case.symbol] == [count or (None if own else 0), 7, 7], case
    assert await set_aside(wire.desk, data_sets.VOLUME_SLOTS) == +lost
    await wire.desk.cover(data_sets.SLOT_PROOF)
    await caches(wire.desk, *data_sets.CACHE_RVOL)
    for symbol, (_, slots) in found.items():
        cached: Any = wire.desk.cache.hgetall(f"rvol:hist:avg:{symbol}:5")
        assert int(cached["191"]) == math.floor(sum(slots.values()) + 1e-6)


async def test_no_extreme_around_the_rows_stores_a_wrong_one_or_loses_a_sound_one_silently(wire: Wire) -> None:
    tried = [
        Case(f"E{number}", "range_bars", field, extreme)
        for number, (field, extreme) in enumerate((f, e) for f in ENDPOINTS["envelope"] for e in EXTREMES)
    ]
    print(f"envelope: {len(ENDPOINTS['envelope'])} fields x {len(EXTREMES)} extremes = {len(tried)}")
    for case in tried:
        assert case.extreme is not None
        around = {"status": b'"OK"', "request_id": b'"r1"', "ticker": b'"%s"' % case.symbol.encode()}
        around |= {str(case.field): case.extreme.raw} if case.extreme.raw is not None else {}
        if case.extreme.raw is None:
            around.pop(str(case.field), None)
        told = b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in around.items())
        wire.says[bars_path(case.symbol)] = b'{%s,"results":[%s]}' % (told, b",".join(NEIGHBOURS))
    report = await ask_for_slots(wire, [case.symbol for case in tried])
    found = await slots_of(wire.desk)
    refused = {case.symbol for case in tried} - found.keys()
    assert all(slots == ("traded", {73: 64.5, 74: 64.5}) for slots in found.values())
    assert report.unfinished is not None  # what was refused is asked for again
    by_field = Counter(case.field for case in tried if case.symbol in refused)
    # No JSON around the rows is no answer; another ticker, adjusted bars, more rows than came and a next page that
    # cannot be found are refused; all else leaves the rows as they are.
    assert {field for field, count in by_field.items() if count > 1} == {
        "ticker",
        "adjusted",
        "resultsCount",
        "next_url",
    }
    noted = await set_aside(wire.desk, data_sets.VOLUME_SLOTS)
    for case in tried:
        if case.symbol in found and oracle_of_envelope(case) is LOST:
            assert noted[case.symbol, case.field] == 1, case


def oracle_of_envelope(case: Case) -> Any:
    raw = case.extreme.raw if case.extreme is not None else None
    return None if raw is None else oracle.kept_of("envelope", str(case.field), raw)
