"""What people and services are told: task states, the day's status, the last complete day, the log's last line."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.cycle import publication
from consumer.cycle.run_report import human_duration, read_run, state_of
from consumer.cycle.runner import CycleRunner
from consumer.delivery.settle import Policy
from consumer.postgres.run_figures import TaskTally
from consumer.verdict.reading import judge_sessions
from contract.reports import CycleState, SessionState, TaskState, decode_event, decode_status
from tests.cycle.stack import DAY, EVENING, until
from tests.cycle.test_opening import BARS_ONLY, cycle

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

P, R, C, F, S, W = (
    TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.COMPLETED, TaskState.FAILED, TaskState.SKIPPED,
    TaskState.WAITING,
)  # fmt: skip


def tally(**counts: int) -> TaskTally:
    fields: dict[str, Any] = {"done": 0, "failed": 0, "not_yet": 0, "open": 0, "blocked": 0, **counts}
    total = fields["done"] + fields["failed"] + fields["not_yet"] + fields["open"]
    return TaskTally(task="volume_slots", total=total, rows=0, seconds=0.0, **fields)


LACKING = {"missing": ("volume_slots 2025-11-11: 3 symbols",)}


@pytest.mark.parametrize(
    ("counts", "state", "more", "expected"),
    [
        (None, "running", {"tasks": BARS_ONLY}, S),
        (None, "running", {}, P),
        ({"open": 3, "blocked": 3}, "running", {}, P),
        ({"open": 3, "blocked": 2}, "running", {}, R),
        ({"open": 1, "blocked": 1, "done": 2}, "running", {}, R),
        ({"done": 3}, "running", {}, C),
        ({"done": 3}, "running", LACKING, C),  # the lack is that of the pass before
        ({"done": 2, "failed": 1}, "running", {}, F),
        ({"done": 2, "not_yet": 1}, "running", {}, W),
        (None, "complete", {}, C),
        ({"done": 3}, "complete", {}, C),
        ({"done": 2, "failed": 1}, "waiting", {}, W),
        ({"done": 2, "not_yet": 1}, "waiting", {}, W),
        ({"done": 3}, "waiting", LACKING, W),
        ({"done": 2, "failed": 1}, "partial", {}, F),
        ({"done": 3}, "partial", LACKING, F),
        ({"done": 3}, "partial", {"missing": ("ohlc_daily bars:2025-11-11",)}, C),
        (None, "partial", LACKING, F),
        (None, "partial", {}, C),
        (None, "failed", {}, F),
        ({"failed": 3}, "failed", {}, F),
        (None, "superseded", {}, S),
    ],
)
def test_a_task_is_told_as_it_stands(
    counts: dict[str, int] | None, state: str, more: dict[str, Any], expected: TaskState
) -> None:
    found = state_of("volume_slots", None if counts is None else tally(**counts), cycle(state=state, **more))
    assert found is expected


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0s"), (59.94, "59.9s"), (61, "1.0m"), (1116, "18.6m"), (5400, "1.5h")]
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words


async def test_the_status_of_a_whole_day_holds_what_readers_know_and_more(stack: Stack) -> None:
    done = await stack.run_cycle()

    raw = await stack.status()
    assert list(raw)[:6] == ["date", "started_at", "completed_at", "duration_seconds", "all_success", "tasks"]
    status = decode_status(str(await stack.redis.get(f"maintenance:status:{DAY}")))
    assert (status.date, status.state, status.all_success) == (DAY, SessionState.FINAL, True)
    assert status.started_at == status.completed_at == EVENING
    assert set(status.tasks.values()) == {TaskState.COMPLETED}
    assert (status.missing, status.later, status.not_in_plan) == ([], [], [])
    run = status.run
    assert run is not None
    assert (run.cycle, run.state) == (done.cycle_id, CycleState.COMPLETE)
    assert all(count.done == count.total > 0 and count.failed == 0 for count in run.parts.values())
    assert run.rows["ohlc_daily"] > 0
    assert run.requests == await stack.market.requests()
    assert run.next_try_at is None
    assert 0 < await stack.redis.ttl(f"maintenance:status:{DAY}") <= 30 * 86_400


async def test_a_cycle_for_an_older_day_takes_nothing_back(stack: Stack) -> None:
    await stack.run_cycle()
    before = await stack.status()
    assert (await stack.run_cycle(dt.date(2025, 11, 6))).state == "complete"
    assert await stack.redis.mget("maintenance:last_run", "maintenance:last_final") == ["2025-11-11"] * 2
    after = await stack.status()
    for name in ("state", "since", "summary", "tasks", "started_at", "completed_at", "missing", "run"):
        assert after[name] == before[name], name


async def test_the_log_line_of_a_finished_cycle_has_the_fields_operators_know(
    stack: Stack, logged: list[dict[str, object]]
) -> None:
    await stack.run_cycle()

    [line] = [line for line in logged if line["event"] == "maintenance_cycle_finished"]
    known = {"date": "2025-11-11", "duration_seconds": 0.0, "duration_human": "0.0s", "completed": 4, "failed": 0}
    assert line.items() >= {**known, "success": True, "level": "INFO"}.items()


async def test_a_cycle_that_lacks_something_logs_an_error_that_names_the_runbook(
    stack: Stack, logged: list[dict[str, object]]
) -> None:
    await stack.market.fail({"kind": "outside_timeframe", "endpoint": "grouped_daily", "day": "2025-10-21"})
    await stack.run_cycle()

    [line] = [line for line in logged if line["event"] == "maintenance_cycle_finished"]
    told = {"success": True, "session": "final", "run": "partial", "completed": 3, "failed": 1, "level": "ERROR"}
    assert line.items() >= told.items(), "the day is whole, and the run left a hole in another one"
    assert line["runbook"] == "cycle-not-complete"


async def test_a_running_cycle_says_why_its_parts_are_tried_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CycleRunner, "classify", lambda self, failure: Policy.RETRY_FREELY)
    await stack.market.fail({"kind": "server_error", "endpoint": "splits"})

    async def told() -> bool:
        cycle = await stack.cycle()
        warnings = [] if cycle is None else (await read_run(stack.pool, cycle, now=stack.clock())).warnings
        return any("1 parts are tried again: ProviderUnavailable" in line for line in warnings)

    async with stack.working():
        await stack.ask()
        await until(told, what="the reason in the status")
        await stack.market.fail()
        cycle = await stack.at_rest()
    assert cycle.state == "complete"
    assert (await stack.status())["run"]["warnings"] == []


async def test_events_tell_the_story_of_a_cycle(stack: Stack) -> None:
    await stack.market.fail({"kind": "server_error", "endpoint": "splits"})
    await stack.run_cycle()

    entries: Any = await stack.redis.xrange("maintenance:events")
    events = [decode_event(fields) for _, fields in entries]

    names = [event.event.value for event in events]
    assert names[0] == "cycle_planned"
    assert names[-1] == "cycle_waiting"
    *_, judged = [event for event in events if event.event == "session_judged" and event.trading_day == DAY]
    assert "partial: Tue 11 Nov lacks" in str(judged.detail)
    assert names.count("task_finished") == 4
    [failed] = [event for event in events if event.event == "part_failed"]
    assert (failed.trading_day, failed.task, failed.part) == (DAY, "ohlc_daily", "splits")


async def test_two_processes_at_work_do_not_make_each_other_judge_at_every_report(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    judgements = 0

    async def counted(*args: Any, **options: Any) -> Any:
        nonlocal judgements
        judgements += 1
        return await judge_sessions(*args, **options)

    monkeypatch.setattr(publication, "judge_sessions", counted)
    one, other = (publication.Publisher(stack.pool, stack.redis, stack.expectations, now=stack.clock) for _ in range(2))
    for look in range(20):
        stack.clock.advance(seconds=0.3)
        await stack.pool.execute("DELETE FROM daily_bar WHERE (trading_date, symbol) IN (SELECT trading_date, "
                                 "symbol FROM daily_bar WHERE trading_date = $1 LIMIT 1)", DAY)  # fmt: skip
        await one.publish_day(DAY, anew=look == 10)
        await other.publish_day(DAY, anew=False)
    told = await stack.status()
    # Each begins with one, the state of the first look is news to the other, and so is what is stored half-way.
    assert judgements <= 5
    assert told["data_sets"]["daily_bars"]["missing"] >= 10, "what was stored half-way is not taken back"


async def test_a_lost_status_is_written_again_by_the_catch_up(stack: Stack) -> None:
    await stack.run_cycle()
    before = await stack.status()
    await stack.redis.delete(f"maintenance:status:{DAY}", "maintenance:last_run")

    await stack.passes_only.look()

    assert await stack.status() == before
    assert await stack.redis.get("maintenance:last_run") == DAY.isoformat()
