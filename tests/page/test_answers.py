"""What the page is answered: verdict, calendar, findings, a day, a symbol, the budget, and the offer of a backfill."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.page import overview as overview_module
from consumer.page.calendar import Doing
from consumer.page.found import Kind
from consumer.terminal.status import exit_code
from contract import keys
from process.exit_codes import ExitCode
from tests.cycle.stack import CALENDAR, DAY, new_york, until
from tests.page.serving import TOKEN, monitor_of, settings_of

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

BEFORE = dt.date(2025, 11, 10)
SIGNED = {"by": "anna", "reason": "the vendor was away"}
NO_BARS = {"kind": "server_error", "endpoint": "grouped_daily", "day": str(DAY), "status": 503}


async def overview(client: Client) -> dict[str, Any]:
    return dict(await (await client.get("/page/overview")).json())


def row_of(answer: dict[str, Any], day: dt.date) -> dict[str, Any]:
    return next(one for one in answer["calendar"]["sessions"] if one["trading_day"] == str(day))


def cell_of(answer: dict[str, Any], day: dt.date, data_set: str) -> dict[str, Any]:
    return next(one for one in row_of(answer, day)["cells"] if one["data_set"] == data_set)


async def test_an_empty_database_is_told_as_one_and_nothing_is_called_final(client: Client) -> None:
    answer = await overview(client)
    assert "has no data" in answer["sentence"]
    assert answer["fine"] is False
    states = {cell["state"] for row in answer["calendar"]["sessions"] for cell in row["cells"]}
    assert states == {"missing"}


async def test_the_page_and_the_command_line_say_the_same_of_the_newest_session(stack: Stack, client: Client) -> None:
    for ran in (False, True):
        if ran:
            await stack.run_cycle()
        status = await monitor_of(stack).status()
        page = await overview(client)
        assert page["sentence"] == status.session.summary
        assert page["fine"] is (exit_code(status) == ExitCode.OK)
        assert page["status"] == msgspec.json.decode(msgspec.json.encode(status))


async def test_a_whole_night_is_final_in_every_cell_and_nothing_is_found(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    answer = await overview(client)
    assert row_of(answer, DAY)["state"] == "final"
    assert {cell["state"] for cell in row_of(answer, DAY)["cells"]} == {"final"}
    assert answer["findings"] == []
    assert (answer["fine"], answer["waits"]) == (True, [])
    assert not any("doing" in cell for row in answer["calendar"]["sessions"] for cell in row["cells"])


async def test_holidays_and_early_closes_are_told_as_such(stack: Stack, client: Client) -> None:
    stack.clock.at = new_york(dt.date(2025, 11, 28), "14:30")
    answer = await overview(client)
    assert {"day": "2025-11-27", "reason": "Thanksgiving Day"} in answer["calendar"]["closed"]
    friday = row_of(answer, dt.date(2025, 11, 28))
    assert (friday["early_close"], friday["closes"]) == (True, "13:00 ET")
    assert "2025-11-27" not in {row["trading_day"] for row in answer["calendar"]["sessions"]}


async def test_what_is_queued_is_told_before_what_stands_and_never_as_final(stack: Stack, client: Client) -> None:
    """A cycle is opened, and nobody works yet."""
    await stack.catch_up.look()
    async with stack.working():
        await until(stack.cycle, what="a cycle")
    answer = await overview(client)
    doing = {cell.get("doing") for cell in row_of(answer, DAY)["cells"] if cell["state"] != "final"}
    assert doing <= {Doing.QUEUED, Doing.RUNNING}
    assert doing


async def test_a_session_whose_bars_the_vendor_refuses_says_why_and_what_it_waits_for(
    stack: Stack, client: Client
) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()
    answer = await overview(client)
    bars = cell_of(answer, DAY, "daily_bars")
    assert (bars["state"], bars["is_gap"]) == ("missing", True)
    assert bars["doing"] == "queued"
    assert "503" in bars["why"]
    (wait, *_) = answer["waits"]
    assert "next pass" in wait["what"]
    gap = next(one for one in answer["findings"] if one["title"].startswith("daily_bars"))
    assert (gap["kind"], gap["first"]) == (Kind.GAP, str(DAY))
    assert "503" in gap["cause"]
    assert gap["command"] == f"maintenance backfill --from {DAY} --to {DAY}"
    assert "tries it by itself" in gap["cause"]
    others = next(one for one in answer["findings"] if "atr" in one["title"])
    assert others["title"] == f"atr, derived, caches as of {DAY}: partial"
    assert ("503" in answer["sentence"], "503" in answer["headline"]) == (True, False)


async def test_a_day_tells_its_runs_as_a_line_of_time_with_their_failed_parts(stack: Stack, client: Client) -> None:
    await stack.market.fail(NO_BARS)
    cycle = await stack.run_cycle()
    day = await (await client.get(f"/page/day/{DAY}")).json()
    (run,) = day["runs"]
    assert run["report"]["cycle"] == cycle.cycle_id
    assert {span["task"] for span in run["spans"]} >= {"cycle", "ohlc_daily", "volume_slots"}
    troubled = run["parts"][0]
    assert (troubled["task"], troubled["part"]) == ("ohlc_daily", f"bars:{DAY}")
    assert "503" in troubled["reason"]
    assert any("it lacks ohlc_daily bars" in wait["evidence"] for wait in day["waits"])
    assert day["fillable"] is True
    status = await monitor_of(stack).status()
    assert day["status"]["summary"] == status.session.summary


async def test_an_older_day_names_the_cycle_that_brought_what_stands_of_it(stack: Stack, client: Client) -> None:
    cycle = await stack.run_cycle()
    day = await (await client.get(f"/page/day/{BEFORE}")).json()
    assert [(run["report"]["cycle"], run["trading_day"]) for run in day["runs"]] == [(cycle.cycle_id, str(DAY))]


async def test_a_running_day_says_who_holds_what_and_what_waits_for_which_stage(stack: Stack, client: Client) -> None:
    await stack.market.fail({"kind": "latency", "endpoint": "range_bars", "latency_ms": 30_000})
    async with stack.working(name="worker-one"):
        await stack.ask()

        async def look() -> dict[str, Any] | None:
            day = dict(await (await client.get(f"/page/day/{DAY}")).json())
            return day if any("range" in str(one) or "batch" in str(one) for one in day["held"]) else None

        day = dict(await until(look, what="a held batch of slots"))
        answer = await overview(client)
        await stack.market.fail()
        assert {one["kind"]: one.get("command") for one in answer["findings"]} == {"gap": None}
        cell = cell_of(answer, DAY, "volume_slots")
        assert (cell["doing"], cell["state"]) == ("running", "missing")
        assert row_of(answer, DAY)["doing"] == "running"
        assert day["held"][0]["holder"] == "worker-one"
        assert any(wait["what"].startswith("worker-one") for wait in day["waits"])
        assert any("begin when its 1 open part has ended" in wait["evidence"] for wait in day["waits"])


async def test_a_day_without_a_session_is_refused_with_its_reason(client: Client) -> None:
    answer = await client.get("/page/day/2025-11-27")
    assert (answer.status, "Thanksgiving" in await answer.text()) == (404, True)
    assert (await client.get("/page/day/tomorrow")).status == 400


async def test_an_offer_says_what_a_backfill_would_touch_and_asks_for_nothing(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", BEFORE)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", BEFORE)
    requests = await stack.market.requests()
    offer = await (await client.get(f"/page/forecast/{BEFORE}/{BEFORE}")).json()
    assert offer["parts"]["ohlc_daily"] >= 1
    assert offer["forecast"]["requests"]["grouped_daily"] == 1
    assert offer["gaps"] == [f"{BEFORE} daily_bars: missing, {offer['gaps'][0].split(', ')[1]}"]
    assert offer["command"] == f"maintenance backfill --from {BEFORE} --to {BEFORE}"
    assert await stack.redis.xlen(keys.TASKS.name) == 0
    assert await stack.market.requests() == requests


async def test_what_was_offered_is_asked_for_and_the_calendar_says_that_a_backfill_brought_it(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", BEFORE)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", BEFORE)
    offer = await (await client.get(f"/page/forecast/{BEFORE}/{BEFORE}")).json()
    body = {"first": str(BEFORE), "last": str(BEFORE), "parts": offer["parts"], **SIGNED}
    cycle = await stack.cycle()
    assert cycle is not None
    accepted = await client.post("/page/backfill", json=body)
    assert (accepted.status, accepted.headers["Location"]) == (202, "/status")
    async with stack.working():
        await stack.at_rest(after=cycle.cycle_id)
    cell = cell_of(await overview(client), BEFORE, "daily_bars")
    assert (cell["state"], cell["backfilled"]) == ("final", True)
    assert "backfilled" not in cell_of(await overview(client), DAY, "daily_bars")
    again = await client.post("/page/backfill", json=body)
    assert (again.status, "nothing is left" in await again.text()) == (409, True)


async def test_an_offer_that_is_another_one_by_now_is_refused(stack: Stack, client: Client) -> None:
    body = {"first": str(DAY), "last": str(DAY), "parts": {"ohlc_daily": 77}, **SIGNED}
    answer = await client.post("/page/backfill", json=body)
    assert (answer.status, "another one by now" in await answer.text()) == (409, True)
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_no_backfill_is_offered_of_a_session_that_is_not_over(client: Client) -> None:
    answer = await client.get("/page/forecast/2025-11-12/2025-11-12")
    assert (answer.status, "not over yet" in await answer.text()) == (422, True)


async def test_work_is_asked_for_with_the_token_only_and_everything_is_read_without(
    stack: Stack, guarded: Client
) -> None:
    assert (await overview(guarded))["needs_token"] is True
    body = {"first": str(DAY), "last": str(DAY), "parts": {}, **SIGNED}
    assert (await guarded.post("/page/backfill", json=body)).status == 401
    wrong = await guarded.post("/page/backfill", json=body, headers={"Authorization": "Bearer guess"})
    assert wrong.status == 401
    right = await guarded.post("/page/backfill", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert right.status == 409
    assert await stack.redis.xlen(keys.TASKS.name) == 0


async def test_a_symbol_shows_the_cache_beside_the_tables_and_where_each_value_comes_from(
    stack: Stack, client: Client
) -> None:
    cycle = await stack.run_cycle()
    symbol = str(await stack.value("SELECT symbol FROM ticker_atr ORDER BY symbol LIMIT 1"))
    found = await (await client.get(f"/page/symbol/{symbol}")).json()
    assert len(found["bars"]) == 16
    assert [one["equal"] for one in found["compared"]] == [True, True]
    profile = found["profile"]
    assert (profile["equal"], profile["as_of"], len(profile["sessions"])) == (True, str(DAY), 5)
    assert profile["average"] == profile["stored_average"]
    assert {why["origin"]["cycle_id"] for why in found["why"]} == {cycle.cycle_id}
    assert found["why"][0]["load"]["source"] == "massive:rest"
    assert found["why"][0]["load"]["request_id"]


async def test_a_cache_that_somebody_has_changed_is_told_to_differ(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol = str(await stack.value("SELECT symbol FROM ticker_atr ORDER BY symbol LIMIT 1"))
    await stack.redis.hset(keys.ATR_DAILY.pattern, symbol, "{}")
    await stack.redis.hset(keys.RVOL_AVERAGES.pattern.format(symbol=symbol), "70", "1")
    found = await (await client.get(f"/page/symbol/{symbol}")).json()
    assert [one["equal"] for one in found["compared"]] == [False, True]
    assert found["profile"]["equal"] is False


@pytest.mark.parametrize("symbol", ["NOSUCH", "a%20b", "x" * 30])
async def test_a_symbol_that_nobody_knows_is_refused(client: Client, symbol: str) -> None:
    assert (await client.get(f"/page/symbol/{symbol}")).status == 404


async def test_the_budget_tells_tonights_forecast_and_what_this_month_has_cost(stack: Stack, client: Client) -> None:
    cycle = await stack.run_cycle()
    budget = await (await client.get("/page/budget")).json()
    status = await monitor_of(stack).status()
    assert status.last is not None
    assert (status.last.cycle, budget["by_endpoint"]) == (cycle.cycle_id, status.last.requests)
    assert budget["month_since"] == "2025-11-01"
    assert budget["rule"] == "POST_MARKET+1h"
    assert budget["tonight"]["requests"]["grouped_daily"] >= 1


async def test_dead_letters_of_one_cause_are_one_finding_with_the_command_that_sends_them_again(
    stack: Stack, client: Client
) -> None:
    for _ in range(3):
        await stack.redis.xadd(keys.TASKS.name, {"task": "no_such_task"})
    async with stack.working():
        await until(lambda: stack.value("SELECT count(*) = 3 FROM dead_letter"), what="three letters")
    answer = await overview(client)
    (letters,) = [one for one in answer["findings"] if one["kind"] == Kind.DEAD_LETTERS]
    assert letters["count"] == 3
    cause = await stack.value("SELECT fingerprint FROM dead_letter LIMIT 1")
    assert letters["command"] == f"maintenance dead-letters replay --cause {cause}"


async def test_lost_caches_are_a_finding_until_they_are_written_again(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    await stack.redis.delete(keys.CACHES.pattern)
    answer = await overview(client)
    assert answer["findings"][0]["kind"] == Kind.CACHES
    assert answer["fine"] is False


async def test_a_missing_span_is_one_finding_and_another_one_beside_it_a_second(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    alone, span = CALENDAR.last_trading_days(10, up_to=BEFORE)[0], CALENDAR.last_trading_days(6, up_to=BEFORE)
    gone = [alone, *span]
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = ANY ($1)", gone)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = ANY ($1)", gone)
    gaps = [one for one in (await overview(client))["findings"] if one["title"].startswith("daily_bars")]
    assert [(gap.get("count", 1), gap["first"], gap["last"]) for gap in gaps] == [
        (6, str(span[0]), str(BEFORE)),
        (1, str(alone), str(alone)),
    ]


async def test_older_sessions_are_had_by_asking_for_them(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    answer = await overview(client)
    before = answer["calendar"]["before"]
    older = await (await client.get(f"/page/calendar/{before}")).json()
    assert older["sessions"][0]["trading_day"] == before
    assert len(older["sessions"]) == 21
    assert older["before"] < before


async def test_all_who_ask_within_a_second_get_the_same_bytes_and_who_has_them_gets_none(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.page.shared.SAME_ANSWER_S", 3600.0)
    first = await client.get("/page/overview")
    await stack.run_cycle()
    second = await client.get("/page/overview")
    assert await first.read() == await second.read()
    known = await client.get("/page/overview", headers={"If-None-Match": first.headers["ETag"]})
    assert (known.status, await known.read()) == (304, b"")


async def test_sessions_are_judged_again_once_the_ledger_has_changed_and_not_before(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    judged: list[int] = []
    window = overview_module.judge_window

    async def counted(*arguments: Any, **named: Any) -> Any:
        judged.append(1)
        return await window(*arguments, **named)

    monkeypatch.setattr(overview_module, "judge_window", counted)
    for _ in range(3):
        await overview(client)
    assert len(judged) == 1
    await stack.run_cycle(BEFORE, force=True)
    await overview(client)
    assert len(judged) == 2


async def test_what_the_consumer_beside_it_has_published_is_not_judged_again(
    stack: Stack, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    await stack.reporter.judge(DAY)
    desk = overview_module.Desk(monitor_of(stack, published=lambda: stack.reporter.judged), settings_of(redis_url))
    with monkeypatch.context() as patched:
        patched.setattr(overview_module, "judge_window", None)  # whoever calls it fails
        assert msgspec.json.decode((await desk.overview()).body)["fine"] is True
    stack.clock.advance(minutes=6)
    with monkeypatch.context() as patched:
        patched.setattr(overview_module, "judge_window", None)
        with pytest.raises(TypeError):
            await desk.overview()


async def test_what_becomes_late_without_a_change_of_the_ledger_is_late_on_the_page_at_once(
    stack: Stack, client: Client
) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()
    deadline = (await monitor_of(stack).status()).serving.deadline
    seen = []
    for after in (-1, 1):
        stack.clock.at = deadline + dt.timedelta(minutes=after)
        answer = await overview(client)
        status = await monitor_of(stack).status()
        assert answer["status"]["serving"] == msgspec.json.decode(msgspec.json.encode(status.serving))
        seen.append(answer["status"]["serving"]["service"])
    assert seen == ["under_way", "late"]
    assert answer["read_at"] < answer["status"]["now"]
