"""OpenTelemetry spans of consumer and API: none, and nothing imported, unless it is switched on.

A batch of one trace is a span in that trace; one of several is a span of its own with links, as
OpenTelemetry's conventions for messaging have it. Where spans go is OpenTelemetry's own matter:
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from activity_telemetry.settings import TraceSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanContext, SpanKind, Tracer

#: The W3C header's name, in HTTP and in Kafka.
TRACEPARENT = "traceparent"
_MOST_LINKS = 128


class Traces:
    """One of each process; switched off until `start`."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        self._stop: Callable[[], None] = lambda: None

    @property
    def is_on(self) -> bool:
        return self._tracer is not None

    def start(
        self, settings: TraceSettings, service: str, exporter: SpanExporter | None = None
    ) -> None:
        """Nothing, if the settings say so. `exporter`: by default OTLP over HTTP."""
        if not settings.enabled:
            return
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
            BatchSpanProcessor,
            SimpleSpanProcessor,
        )

        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )

            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        else:
            provider.add_span_processor(SimpleSpanProcessor(exporter))
        self._tracer = provider.get_tracer("activity")
        self._stop = provider.shutdown

    def stop(self) -> None:
        """Send what is left; then it is off."""
        self._tracer = None
        self._stop()
        self._stop = lambda: None

    @contextmanager
    def of_batch(
        self, name: str, parents: Iterable[bytes], facts: Mapping[str, str | int]
    ) -> Iterator[None]:
        """Something is done in here with what came from these traces (their headers)."""
        tracer = self._tracer
        if tracer is None:
            yield
            return
        from opentelemetry.trace import Link, SpanKind  # noqa: PLC0415

        contexts = _distinct(parents)
        one = len({found.trace_id for found in contexts}) == 1
        context = _remote(contexts[0]) if one else None
        links = [Link(found) for found in contexts[one:_MOST_LINKS]]
        with tracer.start_as_current_span(
            name, context, kind=SpanKind.CONSUMER, attributes=dict(facts), links=links
        ):
            yield

    @contextmanager
    def of_request(self, parent: bytes) -> Iterator[Callable[[str, int], None]]:
        """A request is answered in here; what is yielded is told its name and its status."""
        tracer = self._tracer
        if tracer is None:
            yield lambda _name, _status: None
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        contexts = _distinct([parent])
        context = _remote(contexts[0]) if contexts else None
        with tracer.start_as_current_span("GET", context, kind=SpanKind.SERVER) as span:
            yield lambda name, status: _told(span, name, status)

    @contextmanager
    def of_query(self) -> Iterator[dict[str, str]]:
        """ClickHouse is asked in here; what is yielded are headers for it: it keeps its own spans
        (`system.opentelemetry_span_log`)."""
        tracer = self._tracer
        if tracer is None:
            yield {}
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        kind: SpanKind = SpanKind.CLIENT
        facts = {"db.system.name": "clickhouse"}
        with tracer.start_as_current_span("clickhouse", kind=kind, attributes=facts) as span:
            yield {TRACEPARENT: _header(span.get_span_context())}


#: This process'.
traces = Traces()


def _told(span: Span, name: str, status: int) -> None:
    span.update_name(f"GET {name}")
    span.set_attribute("http.route", name)
    span.set_attribute("http.response.status_code", status)


def _distinct(parents: Iterable[bytes]) -> list[SpanContext]:
    """What the headers name, each once; what is no such header is passed over."""
    from opentelemetry.trace import get_current_span  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    reader = TraceContextTextMapPropagator()
    found: dict[bytes, SpanContext] = {}
    for parent in dict.fromkeys(parents):
        carrier = {TRACEPARENT: parent.decode("latin-1")}
        context = get_current_span(reader.extract(carrier)).get_span_context()
        if context.is_valid and context.is_remote:
            found[parent] = context
        if len(found) > _MOST_LINKS:
            break
    return list(found.values())


def _remote(parent: SpanContext) -> Context:
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415

    return set_span_in_context(NonRecordingSpan(parent))


def _header(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
