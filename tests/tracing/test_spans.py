"""A night's work is spans of one piece each, linked over the stream; without the setting nothing of it is imported."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from consumer.tracing import ToldOnce, TracedRunner
from contract.messages import UndecodableMessage, decode_task
from tests.cycle.conftest import clock, logged, market, postgres_dsn, stack

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.cycle.stack import Stack

__all__ = ["clock", "logged", "market", "postgres_dsn", "stack"]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans(stack: Stack) -> InMemorySpanExporter:
    """What the workers of *stack* trace."""
    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    stack.runs_by(functools.partial(TracedRunner, tracer=provider.get_tracer("tests")))
    return found


def about(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


@pytest.mark.long(20)
async def test_each_part_is_a_span_linked_to_the_one_that_released_it_and_no_child(
    stack: Stack, spans: InMemorySpanExporter
) -> None:
    assert (await stack.run_cycle()).state == "complete"
    found = spans.get_finished_spans()
    by_context = {(span.context.trace_id, span.context.span_id): span for span in found if span.context}
    (opening,) = [span for span in found if span.name == "open cycle"]
    assert opening.links == ()  # a person asked for it
    parts = [span for span in found if about(span, "maintenance.part")]
    assert {about(span, "maintenance.task") for span in parts} >= {"ohlc_daily", "volume_slots", "redis_sync"}
    assert len({span.context.trace_id for span in found if span.context}) == len(found)  # each its own trace
    for span in found:
        assert span.parent is None
        assert span.kind is SpanKind.CONSUMER
        assert about(span, "messaging.system") == "redis"
        assert about(span, "messaging.destination.name") == "maintenance:tasks"
        assert span.status.status_code is not StatusCode.ERROR
    for span in parts:
        (link,) = span.links
        assert (link.context.trace_id, link.context.span_id) in by_context
    # What the plan releases is linked to it, and the plan to the opening.
    (plan,) = [span for span in parts if span.name == "cycle plan"]
    assert opening.context is not None
    assert plan.links[0].context.span_id == opening.context.span_id


async def test_what_fails_is_a_span_with_the_error_and_the_next_try_keeps_its_link(
    stack: Stack, spans: InMemorySpanExporter
) -> None:
    await stack.market.fail({"kind": "server_error", "endpoint": "splits"})
    await stack.run_cycle()
    failed = [span for span in spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR]
    assert failed
    assert all(about(span, "error.type") for span in failed)
    assert {len(span.links) for span in failed} == {1}
    assert max(about(span, "maintenance.attempt") for span in failed) > 1


def test_a_collector_that_is_away_is_told_once_and_when_it_is_back(logged: list[dict[str, Any]]) -> None:
    class Sometimes(InMemorySpanExporter):
        taken = False

        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS if self.taken else SpanExportResult.FAILURE

    sender = Sometimes()
    told = ToldOnce(sender)
    for _ in range(5):
        told.export([])
    sender.taken = True
    told.export([])
    assert [(line["level"], line["event"]) for line in logged] == [
        ("WARNING", "traces_not_sent"), ("INFO", "trouble_is_over"),
    ]  # fmt: skip


def test_a_message_may_name_the_span_that_released_it() -> None:
    assert decode_task({"task": "cycle", "traceparent": TRACEPARENT}).traceparent == TRACEPARENT
    with pytest.raises(UndecodableMessage):
        decode_task({"task": "cycle", "traceparent": "00-4bf9\x00"})


WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry"] = None  # as where it is not installed
import consumer.__main__, consumer.service, consumer.terminal.app
from consumer.settings import BadSettings, read_settings
assert "consumer.tracing" not in sys.modules
assert not read_settings({"MASSIVE_API_KEY": "k"}).tracing
try:
    read_settings({"MASSIVE_API_KEY": "k", "MAINTENANCE_TRACING": "on"})
except BadSettings as error:
    assert "pip install 'data-maintenance[otel]'" in str(error), error
else:
    sys.exit("it was taken")
"""


def test_without_the_extra_nothing_of_it_is_imported_and_the_setting_is_refused_with_the_cure() -> None:
    """(The Redis client looks for it by itself, where it is installed.)"""
    ran = subprocess.run([sys.executable, "-c", WITHOUT_THE_EXTRA], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
