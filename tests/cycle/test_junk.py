"""Of what anybody may write again and again the newest examples are kept, the rest is counted, and work stays."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.cycle import resend
from consumer.delivery.entries import entry_of
from consumer.maintenance_channel import CHANNEL
from consumer.postgres import dead_letters, letter_causes
from consumer.postgres.dead_letters import About, Selection
from consumer.postgres.decisions import Decision
from consumer.postgres.states import LetterState
from consumer.runtime import connect_redis
from contract import keys
from contract.reports import DeadLetter
from tests.cycle.stack import AT_FIVE, DAY, until

if TYPE_CHECKING:
    from consumer.postgres.dead_letters import KeptLetter
    from tests.cycle.stack import Stack

KEPT, JUNK = 15, 200
TYPO = {"task": "cycle", "trading_day": "2025-11-15"}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_causes, "EXAMPLES_KEPT", KEPT)


async def letters(stack: Stack) -> list[KeptLetter]:
    return await dead_letters.find(stack.pool, Selection(), settled=True)


async def send_junk(stack: Stack, stream: str, count: int = JUNK) -> None:
    pipe = stack.redis.pipeline(transaction=False)
    for number in range(count):
        pipe.xadd(stream, {"task": f"thing-{number}", "to_session": f"thing-{number}"})
    await pipe.execute()


async def leave_all_behind(stack: Stack, stream: str) -> None:
    """Have somebody read everything and be silent for longer than any lease."""
    await stack.redis.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
    await stack.redis.xreadgroup(keys.GROUP, "dead", {stream: ">"}, count=10_000)
    ids = [entry_id for entry_id, _ in await stack.redis.xrange(stream)]
    await stack.redis.xclaim(stream, keys.GROUP, "dead", 0, ids, idle=3_600_000, justid=True)


async def refused(stack: Stack, count: int) -> None:
    async def look() -> bool:
        return bool(await stack.value("SELECT sum(seen) FROM dead_letter_cause") == count)

    await until(look, what=f"{count} refusals")


async def test_junk_on_the_task_stream_is_kept_in_its_newest_examples_and_counted_and_work_is_not_crowded_out(
    stack: Stack, logged: list[dict[str, Any]]
) -> None:
    part = DeadLetter(
        stream=keys.TASKS.name, entry_id="1-1", reason="task 'thing-1' is unknown: one of cycle, ohlc_daily, "
        "volume_slots, metadata_enrich, redis_sync", deliveries=1, at=stack.clock(), fields={"task": "ohlc_daily"},
    )  # fmt: skip
    about = About(trading_day=DAY, task="ohlc_daily", part="bars:2025-11-11")
    await dead_letters.keep(stack.pool, part, about)
    await stack.redis.xadd(keys.TASKS.name, dict(TYPO))  # type: ignore[arg-type]
    await send_junk(stack, keys.TASKS.name)
    await stack.ask()
    async with stack.working():
        assert (await stack.at_rest()).state == "complete"
        await refused(stack, JUNK + 1)
    kept = await letters(stack)
    assert {(letter.entry_id, letter.part) for letter in kept} >= {("1-1", "bars:2025-11-11")}
    assert [letter.fields for letter in kept if "trading_day" in letter.fields] == [TYPO]
    junk = [letter.fields["task"] for letter in kept if letter.fields["task"].startswith("thing")]
    assert len(junk) == KEPT
    assert junk[-1] == f"thing-{JUNK - 1}", "the newest is among them"
    [cause] = await letter_causes.read_causes(stack.pool)
    assert (cause.seen, cause.not_kept) == (JUNK, JUNK - KEPT)
    assert await letter_causes.not_kept(stack.pool) == JUNK - KEPT
    assert await stack.redis.xlen(keys.DEAD.name) <= KEPT + 12
    assert sum(line["event"] == "delivery_dead_lettered" for line in logged) <= 20
    told = [await stack.redis.xlen(keys.EVENTS.name)]
    assert told[0] < 60, "observers hear of it together too"


@pytest.mark.parametrize(("count", "left_behind"), [(3, False), (JUNK, False), (JUNK, True)])
async def test_what_this_version_cannot_read_on_the_session_stream_stays_for_its_other_readers(
    stack: Stack, logged: list[dict[str, Any]], count: int, left_behind: bool
) -> None:
    stack.clock.at = AT_FIVE
    await stack.redis.xadd(keys.SESSIONS.name, {"from_session": "MARKET_OPEN", "to_session": "MARKET_OPEN"})
    await send_junk(stack, keys.SESSIONS.name, count)
    if left_behind:
        await leave_all_behind(stack, keys.SESSIONS.name)
    async with stack.listening():
        await refused(stack, count + 1)

        async def acknowledged() -> bool:
            held: Any = await stack.redis.xpending(keys.SESSIONS.name, keys.GROUP)
            return not held["pending"]

        await until(acknowledged, what="an end of it for this reader")
    assert await stack.redis.xlen(keys.SESSIONS.name) == count + 1
    assert sum(line["event"] == "session_event_refused" for line in logged) <= 20
    assert len(await letters(stack)) <= 2 * KEPT
    assert await letter_causes.not_kept(stack.pool) >= count - 2 * KEPT


async def test_a_giant_on_the_session_stream_is_refused_with_its_beginning_and_gone(
    stack: Stack, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_redis(redis_url) as bounded:
        monkeypatch.setattr(stack.stream._reader, "_blocking", bounded)
        async with stack.listening():
            giant: dict[Any, Any] = {b"event": b"SESSION_CHANGED", b"x": b"\xfe" * 2_000_000}
            entry = await stack.redis.xadd(keys.SESSIONS.name, giant)
            await refused(stack, 1)

            async def gone() -> bool:
                return not await stack.redis.xlen(keys.SESSIONS.name)

            await until(gone, what="an empty stream")
    [letter] = await letters(stack)
    assert letter.entry_id == entry
    assert "2 fields of 2,000,021 bytes" in letter.reason
    assert len(letter.fields["x"]) < 1_200
    with pytest.raises(resend.CannotReplay, match="larger than any message"):
        resend.message_again(letter, {})


@pytest.mark.parametrize(
    "more",
    [
        {"task": "cycle" * 10_000},
        {"note": "x" * 17_000},
        {**{f"n{number}": "v" for number in range(120)}, "first_day": "2025-09-02"},
        {**{f"n{number}": "v" for number in range(120)}, "…": "mine"},
        {"…": "x" * 17_000},
    ],
)
async def test_what_is_left_of_a_giant_is_not_replayed_as_what_it_said(stack: Stack, more: dict[str, str]) -> None:
    texts = {"task": "cycle", "trading_day": "2025-11-11"} | more
    said = {name.encode(): value.encode() for name, value in texts.items()}
    letter = DeadLetter(
        stream=keys.TASKS.name, entry_id="1-0", reason="too large", deliveries=1, at=stack.clock(),
        fields=entry_of("1-0", said, CHANNEL).fields,
    )  # fmt: skip
    await dead_letters.keep_examples(stack.pool, [letter])
    [kept] = await letters(stack)
    with pytest.raises(resend.CannotReplay, match=r"larger than any message.*send it anew"):
        resend.message_again(kept, {"task": "cycle"})


async def test_who_has_seen_to_the_examples_has_seen_to_the_cause(stack: Stack) -> None:
    await send_junk(stack, keys.TASKS.name, 40)
    async with stack.working():
        await refused(stack, 40)
        await until(stack.idle, what="an empty stream")
    [one, *_] = await letters(stack)
    selection = Selection(fingerprint=one.fingerprint)
    await resend.drop(stack.pool, stack.redis, selection, Decision(by="bob", reason="junk", at=stack.clock()))
    assert await dead_letters.open_count(stack.pool) == await letter_causes.not_kept(stack.pool) == 0
    assert await stack.redis.xlen(keys.DEAD.name) == 0, "also the copies of those that gave way"
    assert {letter.state for letter in await letters(stack)} == {"dropped"}


async def test_causes_beyond_counting_are_one_and_the_first_stay_what_they_were(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_causes, "MOST_CAUSES", 3)
    many = [
        DeadLetter(
            stream="s", entry_id=f"{number}-0", reason="no " + "abcdefghij"[number] * 5, deliveries=1,
            at=stack.clock() + dt.timedelta(seconds=number),
        )
        for number in range(10)
    ]  # fmt: skip
    await dead_letters.keep_examples(stack.pool, many[:6])
    await dead_letters.keep_examples(stack.pool, many[6:])
    causes = [letter.fingerprint for letter in await letters(stack)]
    assert len({*causes[:3]}) == 3
    assert causes[3:] == [letter_causes.VARIOUS] * 7


async def test_the_same_entry_refused_again_after_a_crash_is_counted_once(stack: Stack) -> None:
    one = DeadLetter(stream="s", entry_id="1-0", reason="junk", deliveries=1, at=stack.clock())
    for _ in range(3):
        async with stack.pool.acquire() as connection, connection.transaction():
            await dead_letters.keep_example(connection, one)
    assert await stack.value("SELECT seen FROM dead_letter_cause") == 1


async def test_letters_from_before_the_bound_stay(stack: Stack) -> None:
    old = "SELECT 'maintenance:tasks', n || '-0', 'junk', 'cause', 1, now(), '{}' FROM generate_series(1, 50) AS n"
    columns = "(stream, entry_id, reason, fingerprint, deliveries, dead_at, fields)"
    await stack.pool.execute(f"INSERT INTO dead_letter {columns} {old}")
    await dead_letters.keep_examples(
        stack.pool,
        [DeadLetter(stream=keys.TASKS.name, entry_id="9-9", reason="junk", deliveries=1, at=stack.clock())],
    )
    assert len(await letters(stack)) == 51


async def test_letters_that_somebody_is_seeing_to_are_not_thinned_out_and_nobody_waits_in_a_circle(
    stack: Stack,
) -> None:
    few, many = sorted(("no such thing", "quite another"), key=dead_letters.fingerprint)  # as they are counted
    batch = letter_causes.EXAMPLES_AT_ONCE

    def letters_from(first: int) -> list[DeadLetter]:
        reasons = [few, *[many] * batch]
        return [
            DeadLetter(
                stream=keys.TASKS.name, entry_id=f"{number}-0", reason=reason, deliveries=1, at=stack.clock(), fields={}
            )
            for number, reason in enumerate(reasons, first)
        ]

    await dead_letters.keep_examples(stack.pool, letters_from(1))
    async with stack.pool.acquire() as operator, operator.transaction():
        mine = [one.dead_letter_id for one in await dead_letters.find_to_settle(operator, Selection())]
        counting = asyncio.create_task(dead_letters.keep_examples(stack.pool, letters_from(100)))
        locked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
        await until(lambda: stack.value(locked), what="one that waits for the operator")
        await dead_letters.settle(
            operator, mine, LetterState.DROPPED, Decision(by="ann", reason="typo", at=stack.clock())
        )
    await counting
    rows = await stack.pool.fetch("SELECT state, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("dropped", batch + 1), ("open", batch + 1)]
    assert await letter_causes.not_kept(stack.pool) == 0
