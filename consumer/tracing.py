"""Traces each delivery with OpenTelemetry: a span a piece of work, linked to the one that released it.

An extra (`pip install data-maintenance[otel]`), and imported only where MAINTENANCE_TRACING is on. Over a stream a span
is linked and no child: the work may run hours later, twice, or elsewhere. Where spans go, the OTEL_ variables say.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumer.cycle.runner import CycleRunner
from consumer.delivery.settle import describe
from contract import keys
from contract.messages import TaskMessage
from process.redaction import redacted
from process.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, Tracer

    from consumer.cycle.reporting import Reporter
    from consumer.delivery.entries import Delivery, Outgoing
    from consumer.delivery.task_stream import TaskStream
    from consumer.tasks.part import Services

SERVICE, FIELD = "data-maintenance", "traceparent"
FLUSHED_WITHIN_MS = 2_000
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Where this process's spans go."""

    def __init__(self, consumer: str) -> None:
        resource = Resource.create({"service.name": SERVICE, "service.instance.id": consumer})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(ToldOnce(OTLPSpanExporter())))

    def runner(self, services: Services, stream: TaskStream, reporter: Reporter) -> CycleRunner:
        """Return the handler of the task stream that traces."""
        return TracedRunner(services, stream, reporter, tracer=self._provider.get_tracer(SERVICE))

    def flush(self) -> None:
        """Send what is left; blocks for two seconds at most."""
        self._provider.force_flush(FLUSHED_WITHIN_MS)


class ToldOnce(SpanExporter):
    """Sends spans by *sender*, and says once a minute that they are not taken: the library says it at every try."""

    def __init__(self, sender: SpanExporter) -> None:
        self._sender = sender
        self._trouble = Trouble("traces_not_sent")
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._sender.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._trouble.over()
        else:
            self._trouble.met(ConnectionError("the collector does not take them"))
        return result

    def shutdown(self) -> None:
        self._sender.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sender.force_flush(timeout_millis)


class TracedRunner(CycleRunner):
    """The handler of the task stream, with a span for each delivery that it runs."""

    def __init__(self, services: Services, stream: TaskStream, reporter: Reporter, *, tracer: Tracer) -> None:
        super().__init__(services, stream, reporter)
        self._tracer = tracer

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        message = delivery.work.message
        work = message if isinstance(message, TaskMessage) else None
        with self._tracer.start_as_current_span(
            _name(work),
            context=Context(),
            kind=SpanKind.CONSUMER,
            attributes=_attributes(delivery, work),
            links=_links(work),
            record_exception=False,  # its words may quote others'
            set_status_on_exception=False,
        ) as span:
            try:
                released = await super().run(delivery)
            except BaseException as failure:
                span.set_attribute("error.type", type(failure).__name__)
                span.set_status(Status(StatusCode.ERROR, redacted(describe(failure))))
                raise
            return [_released_by(span, one) for one in released]


def _name(work: TaskMessage | None) -> str:
    """Of few values, as names of spans are: the part's own name is an attribute."""
    if work is None:
        return f"process {keys.TASKS.name}"
    if work.part is None:
        return "open cycle" if work.cycle is None else "next pass"
    return f"{work.task.value} {work.part.partition(':')[0]}"


def _attributes(delivery: Delivery, work: TaskMessage | None) -> dict[str, str | int]:
    found: dict[str, str | int | None] = {
        "messaging.system": "redis",
        "messaging.operation.type": "process",
        "messaging.destination.name": keys.TASKS.name,
        "messaging.consumer.group.name": keys.GROUP,
        "messaging.message.id": delivery.entry.entry_id,
        "maintenance.deliveries": delivery.deliveries,
        "maintenance.attempt": delivery.work.attempt,
    }
    if work is not None:
        found |= {
            "maintenance.task": work.task.value,
            "maintenance.part": work.part,
            "maintenance.cycle": work.cycle,
            "maintenance.trading_day": None if work.trading_day is None else work.trading_day.isoformat(),
        }
    return {name: value for name, value in found.items() if value is not None}


def _links(work: TaskMessage | None) -> list[Link]:
    if work is None or work.traceparent is None:
        return []
    released_by = _PROPAGATOR.extract({FIELD: work.traceparent}, context=Context())
    known = trace.get_current_span(released_by).get_span_context()
    return [Link(known)] if known.is_valid else []


def _released_by(span: Span, outgoing: Outgoing) -> Outgoing:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=trace.set_span_in_context(span, Context()))
    return msgspec.structs.replace(outgoing, fields={**outgoing.fields, FIELD: carrier[FIELD]}) if carrier else outgoing
