"""Holds what was given up to its promises: kept with its reason, replayed once, dropped under a name."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.cycle import resend
from consumer.cycle.stores import Stores
from consumer.postgres import dead_letters
from consumer.postgres.dead_letters import Selection
from consumer.postgres.decisions import Decision
from contract import keys
from contract.messages import SessionChanged, encode
from contract.reports import DeadLetter, decode_dead_letter
from market.trading_calendar import NEW_YORK
from tests.cycle.stack import AT_FIVE, DAY, Clock, until

if TYPE_CHECKING:
    from consumer.postgres.dead_letters import KeptLetter
    from tests.cycle.stack import Stack

BAD_DETAILS = {"endpoint": "ticker_details", "kind": "server_error", "status": 400}


async def letters(stack: Stack, **selection: Any) -> list[KeptLetter]:
    return await dead_letters.find(stack.pool, Selection(**selection), settled=True)


async def given_up(stack: Stack, fields: dict[str, str], *, entry_id: str = "*") -> KeptLetter:
    """The letter that an entry with *fields* becomes."""
    async with stack.working():
        entry_id = str(await stack.redis.xadd(keys.TASKS.name, dict(fields), id=entry_id))  # type: ignore[arg-type]
        await until(lambda: stack.redis.xlen(keys.DEAD.name), what="a dead letter")
    return next(letter for letter in await letters(stack) if letter.entry_id == entry_id)


async def replayed(stack: Stack, *, by: str = "ann", **changes: str) -> list[resend.Resent]:
    stores = Stores(pool=stack.pool, redis=stack.redis, stream=stack.stream)
    return await resend.resend(stores, Selection(), changes, Decision(by=by, reason="cured", at=stack.clock()))


async def test_a_malformed_entry_is_kept_with_its_reason_and_its_fields_as_they_were(stack: Stack) -> None:
    letter = await given_up(stack, {"task": "ohlc", "note": "a\x00b\n"})

    assert letter.state == "open"
    assert "task 'ohlc' is unknown" in letter.reason
    assert letter.fields == {"task": "ohlc", "note": "a\x00b\n"}
    assert (letter.stream, letter.deliveries, letter.dead_at) == (keys.TASKS.name, 1, stack.clock())
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_a_request_without_a_day_that_was_given_up_is_replayed_for_the_day_on_which_it_was_made(
    stack: Stack,
) -> None:
    monday = DAY - dt.timedelta(days=1)
    asked_at = dt.datetime.combine(monday, dt.time(21), NEW_YORK)
    entry_id = f"{int(asked_at.timestamp() * 1000)}-0"
    letter = await given_up(stack, {"task": "ohlc_daily", "force": "perhaps"}, entry_id=entry_id)

    async with stack.working():
        (resent,) = await replayed(stack, force="false")
        cycle = await stack.at_rest()

    assert (cycle.trading_day, cycle.state) == (monday, "complete")
    assert resent.fields["request"] == f"{entry_id}-dead-letter-{letter.dead_letter_id}"


async def test_letters_of_one_cause_share_a_fingerprint_and_those_of_another_do_not(stack: Stack) -> None:
    async with stack.working():
        for task in ("ohlc", "slots"):
            await stack.redis.xadd(keys.TASKS.name, {"task": task})
        await stack.redis.xadd(keys.TASKS.name, {"task": "cycle", "trading_day": "2025-11-15"})

        async def three() -> bool:
            return bool(await stack.redis.xlen(keys.DEAD.name) == 3)

        await until(three, what="three dead letters")
    found = {letter.fields["task"]: letter.fingerprint for letter in await letters(stack)}
    assert found["ohlc"] == found["slots"] != found["cycle"]


async def test_a_letter_corrected_and_replayed_is_done_once_and_settled_under_the_name(stack: Stack) -> None:
    letter = await given_up(stack, {"task": "cycle", "trading_day": "2025-11-15"})

    async with stack.working():
        await replayed(stack, trading_day=DAY.isoformat())
        cycle = await stack.at_rest()

    assert (cycle.state, cycle.occasion) == ("complete", f"request:dead-letter-{letter.dead_letter_id}")
    (kept,) = await letters(stack)
    assert (kept.state, kept.settled_by, kept.settled_reason) == ("replayed", "ann", "cured")
    assert await stack.redis.xlen(keys.DEAD.name) == 0, "its copy in Redis is gone"
    assert await replayed(stack) == [], "what is settled is not sent again"


async def test_a_letter_that_would_only_come_back_is_refused_and_stays_open(stack: Stack) -> None:
    await given_up(stack, {"task": "ohlc"})
    with pytest.raises(resend.CannotReplay, match=r"task 'ohlc' is unknown.*--set"):
        await replayed(stack)
    (letter,) = await letters(stack)
    assert letter.state == "open"
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_two_operators_who_replay_at_once_send_it_once(stack: Stack) -> None:
    await given_up(stack, {"task": "cycle", "trading_day": "2025-11-15"})
    both = await asyncio.gather(*(replayed(stack, by=by, trading_day=DAY.isoformat()) for by in ("ann", "bob")))
    assert sorted(len(sent) for sent in both) == [0, 1]
    assert await stack.redis.xlen(keys.TASKS.name) == 1


async def test_a_part_that_was_given_up_is_made_good_by_its_replay(stack: Stack) -> None:
    await stack.market.fail(BAD_DETAILS)
    broken = await stack.run_cycle()
    assert broken.state == "partial"
    found = await letters(stack)
    assert {(letter.task, letter.trading_day) for letter in found} == {("metadata_enrich", DAY)}
    assert all(letter.part and letter.part.startswith("details:") for letter in found)

    await stack.market.fail()
    async with stack.working():
        resent = await replayed(stack)
        assert len(resent) == len(found)
        mended = await stack.at_rest(after=broken.cycle_id)
    assert mended.state == "complete"
    assert (await stack.run_cycle()).state == "complete"


async def test_a_dropped_letter_stays_in_the_table_with_who_and_why(stack: Stack) -> None:
    await given_up(stack, {"task": "ohlc"})
    decision = Decision(by="bob", reason="a typing error", at=stack.clock())
    await resend.drop(stack.pool, stack.redis, Selection(), decision)
    (letter,) = await letters(stack)
    assert (letter.state, letter.settled_by, letter.settled_reason) == ("dropped", "bob", "a typing error")
    assert await dead_letters.open_count(stack.pool) == 0
    assert await stack.redis.xlen(keys.DEAD.name) == 0


async def test_a_refused_session_event_is_kept_and_replays_once_corrected(stack: Stack) -> None:
    stack.clock.at = AT_FIVE
    close = stack.services.calendar.session(DAY).closes_at
    event = SessionChanged(
        from_session="MARKET_OPEN", to_session="POST_MARKET", trading_date=DAY, timestamp=close,  # type: ignore[arg-type]
        regular_close=close - dt.timedelta(hours=3), early_close=True, source="test",
    )  # fmt: skip
    fields: dict[Any, Any] = encode(event)
    async with stack.listening():
        await stack.redis.xadd(keys.SESSIONS.name, fields)
        await until(lambda: stack.redis.xlen(keys.DEAD.name), what="a dead letter")
        (letter,) = await letters(stack)
        assert "regular_close" in letter.reason
        await replayed(stack, regular_close=close.isoformat(), early_close="false")
        queued = await until(lambda: stack.redis.hlen(keys.QUEUED.pattern), what="the cycle of the event")
    assert queued == 1
    assert await stack.redis.xlen(keys.DEAD.name) == 0


async def test_a_part_of_a_cycle_that_the_ledger_does_not_know_is_given_up_once(stack: Stack) -> None:
    letter = await given_up(stack, {"task": "ohlc_daily", "cycle": "999", "part": "bars:2025-11-11"})
    assert "cycle 999 is unknown" in letter.reason
    assert await stack.idle()
    assert len(await letters(stack)) == await stack.redis.xlen(keys.DEAD.name) == 1


async def test_a_delivery_that_fails_after_its_part_was_committed_settles_instead_of_coming_back(stack: Stack) -> None:
    cycle = await stack.run_cycle()
    done = {"task": "ohlc_daily", "cycle": str(cycle.cycle_id), "part": "splits", "trading_day": DAY.isoformat()}
    entry_id = await stack.redis.xadd(keys.TASKS.name, dict(done))  # type: ignore[arg-type]
    await stack.redis.xreadgroup(keys.GROUP, "dead", {keys.TASKS.name: ">"})
    await stack.redis.xclaim(keys.TASKS.name, keys.GROUP, "dead", 0, [entry_id], idle=60_000, retrycount=99)

    async with stack.working():
        await until(stack.idle, what="an empty stream")
    assert (await stack.parts(cycle.cycle_id))["ohlc_daily/splits"] == "done"


@pytest.mark.parametrize("known", [False, True])
async def test_the_row_of_a_letter_and_its_copy_on_the_stream_say_the_same_also_after_a_crash_between_the_two(
    stack: Stack, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick(clock: Clock) -> dt.datetime:
        clock.at += dt.timedelta(milliseconds=7)
        return clock.at

    monkeypatch.setattr(Clock, "__call__", tick)
    entry_id = "1762894800000-0"
    if known:
        letter = DeadLetter(
            stream=keys.TASKS.name, entry_id=entry_id, reason="as it was told before the crash", deliveries=1,
            at=stack.clock(), fields={"task": "ohlc"},
        )  # fmt: skip
        await dead_letters.keep(stack.pool, letter)
    kept = await given_up(stack, {"task": "ohlc"}, entry_id=entry_id)
    [(_, fields)] = await stack.redis.xrange(keys.DEAD.name)
    copy = decode_dead_letter(fields)
    assert (copy.at, copy.reason, copy.deliveries) == (kept.dead_at, kept.reason, kept.deliveries)
    assert len(await letters(stack)) == 1
