"""/metrics says in well-formed text what the page knows, with a server away as well, and never a ticker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from consumer.counting import Counts
from consumer.delivery.entries import Delivery, Entry, Work
from consumer.delivery.settle import Ending, Settlement
from consumer.massive.budget import budget_keys, budget_windows
from consumer.page.overview import Desk
from consumer.web.metric_facts import OfRedis, OfStream, read_facts
from consumer.web.metric_families import families
from consumer.web.metrics import Metrics, add_metrics
from tests.cycle.stack import CALENDAR, DAY, new_york
from tests.page.serving import settings_of
from tests.web.conftest import monitor_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client.core import Metric

    from consumer.web.metric_facts import Facts
    from tests.cycle.stack import Stack

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Absent at rest.
SELDOM = {"maintenance_stream_oldest_pending_seconds"}
PROMTOOL = shutil.which("promtool")
#: What lives as long as a series does; a value of another kind would be a series a ticker, a day or a request.
LABELS = {"dataset", "endpoint", "group", "outcome", "schema", "server", "service", "state", "status", "stream", "task",
          "verdict", "window"}  # fmt: skip


@pytest.fixture
async def asked(stack: Stack, redis_url: str) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """A client of /metrics alone, read anew each time."""
    app = web.Application()
    add_metrics(app, Metrics(monitor_of(stack), settings_of(redis_url), same_answer_s=0))
    async with TestClient(TestServer(app)) as found:
        yield found


def documented() -> set[str]:
    return set(re.findall(r"^\| `(maintenance_\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))


async def facts_of(stack: Stack, redis_url: str) -> Facts:
    settings, monitor = settings_of(redis_url), monitor_of(stack)
    return await read_facts(monitor, Desk(monitor, settings), settings)


def values(text: str) -> dict[str, float]:
    """Every sample by its name and labels, as the client library's own parser reads them."""
    return {
        f"{one.name}{{{','.join(one.labels.values())}}}": one.value for family in plain(text) for one in family.samples
    }


def delivery(task: str) -> Delivery:
    entry = Entry(entry_id="1-0", fields={"task": task})
    return Delivery(entry=entry, work=Work(), token=1, deliveries=1)


@pytest.mark.long(20)
async def test_a_night_is_told_in_figures_that_both_forms_and_promtool_take(
    stack: Stack,
    asked: TestClient,  # type: ignore[type-arg]
) -> None:
    assert (await stack.run_cycle()).state == "complete"
    await stack.counts.add_to(stack.redis)
    counts = Counts()
    counts.settled(delivery("volume_slots"), Settlement(ending=Ending.ACKNOWLEDGE, reason="not yet published"))
    counts.settled(delivery("volume_slots"), Settlement(ending=Ending.RETRY_LATER, reason="503"))
    counts.settled(delivery("AAPL"), Settlement(ending=Ending.DEAD_LETTER))
    counts.answered("grouped_daily", 200)
    counts.answered("grouped_daily", None)
    await counts.add_to(stack.redis)
    await counts.add_to(stack.redis)  # nothing is counted twice

    answer = await asked.get("/metrics")
    text = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = values(text)
    assert found["maintenance_session_state{final}"] == 1
    assert sum(value for name, value in found.items() if name.startswith("maintenance_session_state{")) == 1
    assert found["maintenance_serving{served}"] == 1
    assert found["maintenance_serving_due_timestamp_seconds{}"] == new_york(DAY, "20:15").timestamp()
    assert (
        found["maintenance_cycle_next_due_timestamp_seconds{}"]
        == new_york(CALENDAR.next_trading_day(DAY), "17:00").timestamp()
    )
    assert found["maintenance_coverage_ratio{daily_bars}"] == 1
    assert found["maintenance_gap_sessions{daily_bars}"] == 0
    assert found["maintenance_cycle_last_success_timestamp_seconds{}"] > 0
    assert found["maintenance_task_duration_seconds{ohlc_daily}"] == 0  # by the clock of the test, which stood still
    done = await stack.value("SELECT count(*) FROM part WHERE task = 'ohlc_daily' AND state = 'done'")
    assert found["maintenance_settlements_total{ohlc_daily,ack}"] == done > 0
    assert found["maintenance_parts_total{done,ohlc_daily}"] == done
    assert found["maintenance_settlements_total{unknown,dead}"] == 1  # an entry may say anything
    assert found["maintenance_parts_total{without_data,volume_slots}"] == 1
    assert "maintenance_parts_total{retry,volume_slots}" not in found
    assert found["maintenance_provider_requests_total{grouped_daily,200}"] == 1
    assert found["maintenance_provider_requests_total{grouped_daily,none}"] == 1
    assert found["maintenance_server_up{postgresql}"] == found["maintenance_server_up{redis}"] == 1
    assert {label for family in plain(text) for one in family.samples for label in one.labels} <= LABELS

    modern = await asked.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text")
    body = await modern.text()
    assert body.endswith("# EOF\n")
    assert {one.name for one in openmetrics(body)} == {re.sub("_total$", "", one.name) for one in plain(text)} - {
        "maintenance_build_info"
    } | {"maintenance_build"}
    assert {one.name for family in plain(text) for one in family.samples} | SELDOM == documented()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
async def test_promtool_finds_nothing_to_mend(stack: Stack, asked: TestClient) -> None:  # type: ignore[type-arg]
    counts = Counts()
    counts.settled(delivery("ohlc_daily"), Settlement(ending=Ending.ACKNOWLEDGE))
    counts.answered("grouped_daily", 200)
    await counts.add_to(stack.redis)
    text = await (await asked.get("/metrics")).text()
    assert PROMTOOL is not None
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout


async def test_what_is_late_and_lacks_is_counted_in_sessions(stack: Stack, redis_url: str) -> None:
    assert (await stack.run_cycle()).state == "complete"
    stack.clock.at = new_york(CALENDAR.next_trading_day(DAY), "18:01")
    found = {one.name: one for one in families(await facts_of(stack, redis_url))}
    missed = {one.labels["dataset"]: one.value for one in found["maintenance_deadline_missed_sessions"].samples}
    assert missed["daily_bars"] == missed["volume_slots"] == 1
    assert sample(found["maintenance_serving"], service="late") == 1
    assert sample(found["maintenance_gap_sessions"], dataset="daily_bars") == 1


def sample(family: Metric, **labels: str) -> float:
    return next(one.value for one in family.samples if one.labels == labels)


async def test_before_anything_was_done_what_is_not_known_is_left_out(stack: Stack, redis_url: str) -> None:
    found = {one.name: one for one in families(await facts_of(stack, redis_url))}
    assert "maintenance_cycle_last_success_timestamp_seconds" not in found
    assert "maintenance_cycle_duration_seconds" not in found
    assert sample(found["maintenance_session_state"], state="missing") == 1
    assert sample(found["maintenance_provider_budget_remaining_requests"], window="second") == 50  # the default


def test_a_lag_that_redis_cannot_tell_is_left_out_and_one_of_nothing_is_zero(stack_facts: Facts) -> None:
    at = stack_facts.now
    streams = (
        OfStream(stream="a", entries=5, group="g", pending=2, lag=None, oldest_pending_at=at),
        OfStream(stream="b", entries=0, group="g", lag=0),
        OfStream(stream="c", entries=7),
    )
    redis = OfRedis(streams=streams, parked=0, counts={}, budget={"minute": 3})
    found = {one.name: one for one in families(msgspec.structs.replace(stack_facts, ledger=None, redis=redis))}
    lags = {one.labels["stream"]: one.value for one in found["maintenance_stream_lag_entries"].samples}
    assert lags == {"b": 0}
    assert [one.labels["stream"] for one in found["maintenance_stream_oldest_pending_seconds"].samples] == ["a"]
    assert sample(found["maintenance_stream_entries"], stream="c") == 7
    assert sample(found["maintenance_provider_budget_remaining_requests"], window="minute") == 3


@pytest.fixture
def stack_facts() -> Facts:
    from consumer.web.metric_facts import Facts

    return Facts(now=new_york(DAY, "20:30"), checks={}, ledger=None, redis=None)


async def test_with_postgresql_away_the_scrape_says_so_and_still_tells_of_redis(
    stack: Stack,
    asked: TestClient,  # type: ignore[type-arg]
) -> None:
    await stack.pool.close()
    answer = await asked.get("/metrics")
    found = values(await answer.text())
    assert answer.status == 200
    assert found["maintenance_server_up{postgresql}"] == 0
    assert found["maintenance_server_up{redis}"] == 1
    assert "maintenance_dead_letters{}" not in found
    assert "maintenance_parked_entries{}" in found


async def test_the_budget_is_what_the_windows_would_let_through(stack: Stack, redis_url: str) -> None:
    settings = msgspec.structs.replace(settings_of(redis_url), requests_per_second=None, requests_per_minute=5)
    (key,) = budget_keys(settings.api_key, budget_windows(per_second=None, per_minute=5))[1:]
    seconds, microseconds = await stack.redis.time()
    for ago_s in (70, 50, 1):
        await stack.redis.lpush(key, (int(seconds) - ago_s) * 1_000_000 + int(microseconds))
    monitor = monitor_of(stack)
    facts = await read_facts(monitor, Desk(monitor, settings), settings)
    assert facts.redis is not None
    assert facts.redis.budget == {"minute": 3}
