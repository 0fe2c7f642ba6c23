"""Random sequences of what can happen to a ledger, judged after every step, against a short independent model.

VERDICT_SEQUENCES=3000 runs more of them than the suite does.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consumer.catalogue.registry import CACHES
from consumer.postgres.pool import open_pool
from consumer.verdict.reading import judge_sessions
from consumer.verdict.ruler import Expectations
from contract import data_sets as sets
from market.schedule import Schedule, parse_rules
from tests.verdict.model import CLOSE, FINAL, FIRST_DUE, Facts, Slot, Symbol
from tests.verdict.worlds import CALENDAR, at

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

SEQUENCES = int(os.environ.get("VERDICT_SEQUENCES", "60"))
DAYS = list(CALENDAR.trading_days(dt.date(2025, 11, 5), dt.date(2025, 11, 12)))  # six ordinary sessions
SLOT_DAYS = 3
SYMBOLS = ("A", "B", "C")
EXPECTATIONS = Expectations(
    schedule=Schedule(CALENDAR, parse_rules("POST_MARKET+1h CLOSED+15m")), ohlc_sessions=len(DAYS),
    slot_sessions=SLOT_DAYS, details_refresh_days=30,
)  # fmt: skip
TABLES = (
    "coverage", "daily_bar", "ticker_atr", "session_slots", "listed_ticker", "ticker_profile",
    "vendor_capability", "cycle",
)  # fmt: skip
ROWS = {
    sets.DAILY_BARS: "INSERT INTO daily_bar (trading_date, symbol, open, high, low, close, volume, load_id) "
    "SELECT $1, symbol, 1, 1, 1, 1, 1, 0 FROM unnest($2::text[]) AS s (symbol) ON CONFLICT DO NOTHING",
    sets.ATR: "INSERT INTO ticker_atr SELECT $1, symbol, 1, 1, 15, 0 FROM unnest($2::text[]) AS s (symbol) "
    "ON CONFLICT DO NOTHING",
}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

days = st.sampled_from(DAYS)
symbols = st.sampled_from(SYMBOLS)
events = st.one_of(
    st.tuples(st.just("bars"), days),
    st.tuples(st.just("bar lost"), days),
    st.tuples(st.just("slots"), days, symbols, st.sampled_from(["traded", "no_trades", "unproven"])),
    st.tuples(st.just("all slots"), days),
    st.tuples(st.just("slot lost"), days, symbols),
    st.tuples(st.just("present"), st.sampled_from([sets.UNIVERSE, sets.FLOATS, sets.SPLITS])),
    st.tuples(st.just("all present"), days),
    st.tuples(st.just("computed"), st.sampled_from([sets.ATR, sets.DERIVED, "caches"]), days),
    st.tuples(st.just("whole"), days),
    st.tuples(st.just("delisted"), symbols, days),
    st.tuples(st.just("left with a hole"), symbols, days),
    st.tuples(st.just("listed"), symbols, days),
    st.tuples(st.just("asked"), symbols),
    st.tuples(st.just("retired"), days),
    st.tuples(st.just("no floats"), st.booleans()),
    st.tuples(st.just("clock"), days, st.sampled_from(["15:00", "16:30", "17:30", "20:14", "20:30", "23:59"])),
    st.tuples(st.just("run"), days, st.sampled_from(["complete", "partial", "failed", "cancelled", "waiting"])),
)


class Ledger:
    """A real database and the model's facts, told the same."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.facts = Facts(DAYS, SLOT_DAYS)
        self.now = at(DAYS[-1], "20:30")
        self.loads = 0
        self.began: dt.datetime | None = None

    async def begin(self) -> None:
        for name in SYMBOLS:
            await self.list_symbol(name, None)

    async def list_symbol(self, name: str, first: dt.date | None) -> None:
        await self.pool.execute(
            "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, listed_from) "
            "VALUES ($1, true, $2, $3, $3, $4) ON CONFLICT (symbol) DO UPDATE SET is_active = true, state = 'listed', "
            "listed_from = $4",
            name, DAYS[-1], EPOCH, first,
        )  # fmt: skip
        self.facts.symbols[name] = Symbol(first, None)

    async def cover(self, data_set: str, day: dt.date) -> None:
        self.loads += 1
        await self.pool.execute(
            "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) VALUES ($1, $2, 3, $3, $4) "
            "ON CONFLICT (data_set, trading_day) DO UPDATE SET fetched_at = $3, load_id = $4, retired_at = NULL",
            data_set, day, self.now, self.loads,
        )  # fmt: skip
        if data_set in ROWS:
            await self.pool.execute(ROWS[data_set], day, list(SYMBOLS))

    async def slot(self, day: dt.date, name: str, outcome: str) -> None:
        await self.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol = $2", day, name)
        await self.pool.execute(
            "INSERT INTO session_slots VALUES ($1, $2, $3, CASE WHEN $3 = 'traded' THEN "
            "array_fill(1::float8, ARRAY[192]) END, $4, 0)",
            day, name, outcome, self.now,
        )  # fmt: skip
        self.facts.slots[day, name] = Slot(outcome, self.now)

    async def happen(self, event: tuple[Any, ...]) -> None:
        """Do to both what *event* says; what cannot be (data of a session that has not closed) does not happen."""
        kind, *rest = event
        day = next((one for one in rest if isinstance(one, dt.date)), None)
        if (
            day is not None
            and kind not in ("clock", "delisted", "listed", "left with a hole")
            and self.now < at(day, "16:00")
        ):
            return
        if day in self.facts.retired and kind in ("bars", "slots", "all slots", "whole"):
            return
        await getattr(self, "on_" + kind.replace(" ", "_"))(*rest)

    async def on_bars(self, day: dt.date) -> None:
        await self.cover(sets.DAILY_BARS, day)
        self.facts.bars[day] = self.now
        self.facts.bar_lost.discard(day)

    async def on_bar_lost(self, day: dt.date) -> None:
        await self.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1 AND symbol = 'A'", day)
        if day in self.facts.bars:
            self.facts.bar_lost.add(day)

    async def on_slots(self, day: dt.date, name: str, outcome: str) -> None:
        await self.slot(day, name, outcome)

    async def on_all_slots(self, day: dt.date) -> None:
        for name in self.facts.symbols:
            await self.slot(day, name, "traded")

    async def on_slot_lost(self, day: dt.date, name: str) -> None:
        await self.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol = $2", day, name)
        self.facts.slots.pop((day, name), None)

    async def on_present(self, name: str) -> None:
        await self.cover(name, self.now.date())
        self.facts.present[name] = max(self.now, self.facts.present.get(name, EPOCH))

    async def on_all_present(self, day: dt.date) -> None:
        for name in (sets.UNIVERSE, sets.FLOATS, sets.SPLITS):
            await self.on_present(name)
        for name in (sets.ATR, sets.DERIVED, "caches"):
            await self.on_computed(name, day)

    async def on_computed(self, name: str, day: dt.date) -> None:
        for one in CACHES if name == "caches" else (name,):
            await self.cover(one, day)
        newest = self.facts.computed.get(name, (dt.date.min, EPOCH))
        if day >= newest[0]:
            self.facts.computed[name] = (day, self.now)

    async def on_whole(self, day: dt.date) -> None:
        await self.on_bars(day)
        await self.on_all_slots(day)
        await self.on_all_present(day)
        for name in SYMBOLS:
            await self.on_asked(name)

    async def on_delisted(self, name: str, day: dt.date) -> None:
        known = self.facts.symbols.get(name)
        if known is None or (known.first is not None and known.first > day):
            return
        await self.pool.execute(
            "UPDATE listed_ticker SET is_active = false, state = 'unlisted', last_seen = $2 WHERE symbol = $1",
            name,
            day,
        )
        self.facts.symbols[name] = Symbol(known.first, day)

    async def on_left_with_a_hole(self, name: str, day: dt.date) -> None:
        await self.on_slot_lost(day, name)
        await self.on_delisted(name, day)

    async def on_listed(self, name: str, day: dt.date) -> None:
        await self.list_symbol(name, day)

    async def on_asked(self, name: str) -> None:
        await self.pool.execute(
            "INSERT INTO ticker_profile (symbol, details_attempted_at, created_at, updated_at) "
            "VALUES ($1, $2, $2, $2) ON CONFLICT (symbol) DO UPDATE SET details_attempted_at = $2",
            name, self.now,
        )  # fmt: skip
        self.facts.asked.add(name)

    async def on_retired(self, day: dt.date) -> None:
        if day not in self.facts.bars:
            return
        for name in (sets.DAILY_BARS, sets.VOLUME_SLOTS):
            await self.cover(name, day)
            await self.pool.execute(
                "UPDATE coverage SET retired_at = $3 WHERE data_set = $1 AND trading_day = $2", name, day, self.now
            )
        await self.pool.execute("DELETE FROM session_slots WHERE trading_date = $1", day)
        self.facts.retired.add(day)
        self.facts.slots = {about: slot for about, slot in self.facts.slots.items() if about[0] != day}

    async def on_no_floats(self, lacking: bool) -> None:
        await self.pool.execute(
            "INSERT INTO vendor_capability VALUES ('floats', $1, $2, '') ON CONFLICT (capability) "
            "DO UPDATE SET available = $1",
            not lacking, self.now,
        )  # fmt: skip
        self.facts.no_floats = lacking

    async def on_clock(self, day: dt.date, time: str) -> None:
        self.now = max(self.now, at(day, time)) if self.loads else at(day, time)

    async def on_run(self, day: dt.date, state: str) -> None:
        """A run of whatever end changes nothing."""
        await self.pool.execute(
            "INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, "
            "pass_started_at, give_up_at) VALUES ($1, $2, false, $3, 'model', '{redis_sync}', $4, $3, $3, $3)",
            day, f"request:{self.loads}-{state}-{self.now.timestamp()}", self.now, state,
        )  # fmt: skip
        self.loads += 1
        self.began = min(self.began or self.now, self.now)

    async def check(self) -> None:
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = await judge_sessions(connection, EXPECTATIONS, now=self.now, days=DAYS)
        self.facts.slot_days = [one for one in DAYS if one >= self.first_slots()]
        found = {day: (str(one.state), str(one.condition)) for day, one in judged.verdicts.items()}
        wanted = {}
        for day in DAYS:
            instants = {"close": at(day, f"{CLOSE}"), "final": at(day, f"{FINAL}"), "epoch": EPOCH}
            state = self.facts.state(day, instants)
            wanted[day] = (state, self.facts.condition(state, at(day, f"{FIRST_DUE}"), self.now))
        assert found == wanted
        whole = [day for day, (state, _) in wanted.items() if state in ("provisional", "final", "suspect")]
        final = [day for day, (state, _) in wanted.items() if state == "final"]
        assert (judged.last_run, judged.last_final) == (max(whole, default=None), max(final, default=None))

    def first_slots(self) -> dt.date:
        """Slots are kept since the window of the first start, which ended with the last closed session then."""
        front = CALENDAR.last_completed(min(self.began or self.now, self.now))
        return CALENDAR.last_trading_days(SLOT_DAYS, up_to=front)[0]


@settings(max_examples=SEQUENCES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=st.booleans(), sequence=st.lists(events, min_size=1, max_size=14))
# Found by chance: of a session before the window nothing is left but slots that are not expected.
@pytest.mark.long(20)
@example(
    whole=True, sequence=[("slot lost", DAYS[0], "A"), ("left with a hole", "B", DAYS[0]), ("listed", "C", DAYS[1])]
)
@example(whole=True, sequence=[("delisted", "A", DAYS[0]), ("delisted", "B", DAYS[0]), ("listed", "C", DAYS[2])])
def test_whatever_happens_the_verdict_is_the_models(
    migrated_dsn: str,
    whole: bool,
    sequence: list[tuple[Any, ...]],
) -> None:
    """Half of the sequences begin with nothing, half with whole sessions: there one event makes the difference."""

    async def live() -> None:
        async with await open_pool(migrated_dsn, lease=dt.timedelta(seconds=10), size=1) as pool:
            for table in TABLES:
                await pool.execute(f"DELETE FROM {table}")
            ledger = Ledger(pool)
            await ledger.begin()
            for day in DAYS if whole else ():
                await ledger.on_whole(day)
            for event in sequence:
                await ledger.happen(event)
                await ledger.check()

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(live())
    finally:
        loop.close()
