"""The real OpenTelemetry: its current span is the event's."""

import json
import subprocess
import sys
from collections import deque
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from activity_emit import ActivityWSGIMiddleware
from activity_emit.middleware.types import Receive, Scope, Send
from tests.unit.emit.harness import END, START, Collected, Harness, answering, built

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())]


@pytest.fixture
def tracer() -> trace.Tracer:
    return TracerProvider().get_tracer("tests")


def ids(span: trace.Span) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def told(event: dict[str, Any]) -> tuple[str | None, str | None]:
    return event.get("trace_id"), event.get("metadata", {}).get("span_id")


async def test_the_span_outside_of_the_middleware(tracer: trace.Tracer) -> None:
    harness = Harness(answering(START, END))
    with tracer.start_as_current_span("GET") as span:
        await harness.request(headers=HEADERS)
    assert told(harness.event()) == ids(span)


async def test_the_span_inside_and_not_the_one_of_a_send(tracer: trace.Tracer) -> None:
    spans = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def instrumented(message: Any) -> None:
            with tracer.start_as_current_span("GET http send") as sending:
                sending.set_attribute("asgi.event.type", message["type"])
                await send(message)

        with tracer.start_as_current_span("GET") as span:
            spans.append(span)
            await answering(START, END)(scope, receive, instrumented)

    harness = Harness(app)
    await harness.request(headers=HEADERS)
    assert told(harness.event()) == ids(spans[0])


async def test_without_a_span_it_is_the_header() -> None:
    harness = Harness(answering(START, END))
    await harness.request(headers=HEADERS)
    assert told(harness.event()) == (TRACE, None)


async def test_a_span_that_is_not_recorded_counts_and_an_invalid_one_does_not() -> None:
    harness = Harness(answering(START, END))
    for trace_id in (int(TRACE, 16), 0):
        context = SpanContext(trace_id, int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(0))
        with trace.use_span(NonRecordingSpan(context)):
            await harness.request()
    assert [told(event) for event in harness.events()] == [(TRACE, SPAN), (None, None)]


def test_wsgi_reads_it_where_the_response_starts(tracer: trace.Tracer) -> None:
    spans = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        with tracer.start_as_current_span("GET") as span:
            spans.append(span)
            start_response("200 OK", [])
        return [b"ok"]

    publisher = Collected()
    body = ActivityWSGIMiddleware(app, publisher)({"PATH_INFO": "/orgs/o1"}, lambda *_: None)
    assert list(body) == [b"ok"]
    (record,) = built(deque(publisher.drafts))
    assert told(json.loads(record.value)) == ids(spans[0])


def test_it_is_never_imported_by_us() -> None:
    program = (
        "import sys, activity_emit; from activity_emit.event.trace import current_span;"
        "assert current_span() is None;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
