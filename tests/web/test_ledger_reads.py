"""What the ledger holds, over HTTP: the same as the commands say, with tags by which nobody is sent it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.completeness.sessions import Span, sessions_of
from consumer.terminal.coverage import coverage_row
from consumer.web.ledger_reads import _At
from tests.cycle.stack import CALENDAR, DAY

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

BEFORE = CALENDAR.last_trading_days(2, up_to=DAY)[0]


async def test_coverage_and_gaps_are_those_of_the_commands(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", BEFORE)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", BEFORE)
    at = _At(pool=stack.pool, schedule=stack.expectations.schedule, expectations=stack.expectations, now=stack.clock())
    said = [msgspec.to_builtins(coverage_row(one)) for one in await sessions_of(at, Span(first=None, last=None))]
    told = await (await client.get("/coverage")).json()
    assert (_bare(told["sessions"]), told["count"]) == (_bare(said), len(said))
    gaps = await (await client.get("/gaps")).json()
    assert _bare(gaps["sessions"]) == _bare([one for one in said if one["is_gap"]])
    assert (gaps["gaps"], told["gaps"]) == (gaps["count"], gaps["count"])
    assert {one["trading_day"] for one in gaps["sessions"]} == {str(BEFORE)}
    one_day = await (await client.get(f"/coverage?from={DAY}&to={DAY}")).json()
    assert {one["trading_day"] for one in one_day["sessions"]} == {str(DAY)}
    for query, cure in (
        (f"from={DAY}&to={BEFORE}", "exchange them"),
        ("from=1990-01-02", "calendar"),
        (f"from=2015-01-02&to={DAY}", "at most 1000"),
        ("day=2025-11-11", "from, to"),
        ("from=null", "leave it out"),
    ):
        refused = await client.get(f"/coverage?{query}")
        assert (refused.status, cure in await refused.text()) == (400, True), query


def _bare(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order of names, since the one writes them so and the other so."""
    return [dict(sorted(one.items())) for one in lines]


async def test_who_has_an_answer_is_not_sent_it_again_however_the_clock_goes_on(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    for path in ("/status", f"/cycles/{DAY}", "/runs/1", "/coverage", "/gaps", "/actions", "/openapi.json"):
        answer = await client.get(path)
        tag = answer.headers["ETag"]
        assert tag.startswith("W/") is (path in ("/status", f"/cycles/{DAY}"))
        stack.clock.advance(seconds=1)
        again = await client.get(path, headers={"If-None-Match": tag})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag), path
    tags = [(await client.get(path)).headers["ETag"] for path in ("/status", "/runs/1")]
    await stack.pool.execute("UPDATE cycle SET reason = 'otherwise' WHERE cycle_id = 1")
    for path, tag in zip(("/status", "/runs/1"), tags, strict=True):
        assert (await client.get(path, headers={"If-None-Match": tag})).status == 200, path


async def test_every_problem_names_its_kind_and_its_request_and_the_kind_is_told(client: Client) -> None:
    for path, name in (("/runs/x", "not-understood"), ("/nowhere", "not-there"), ("/api/bars/NOSUCH", "not-there")):
        document = await (await client.get(path)).json(content_type=None)
        assert (document["type"], document["instance"]) == (f"/problems/{name}", path)
        kind = await (await client.get(document["type"])).json()
        assert (kind["status"], kind["title"]) == (document["status"], document["title"])
    fault = await (await client.get("/problems/fault")).json()
    assert fault["runbook"] == "docs/runbook.md#http-request-failed"
    assert (await client.get("/problems/none")).status == 404
