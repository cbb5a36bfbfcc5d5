"""From a service's span to the table and to a reader: real OpenTelemetry, spans kept in memory."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import ValidationError

from activity_emit.event.trace import traceparent
from activity_telemetry.settings import TraceSettings
from activity_telemetry.traces import Traces, traces

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER = "5bf92f3577b34da6a3ce929d0e0e4736"
ID = "0197a1b2-0000-7000-8000-00000000abcd"
HEADER = f"00-{TRACE}-{SPAN}-01".encode()


@pytest.mark.parametrize(
    ("event", "header"),
    [
        ({"id": ID, "trace_id": TRACE, "metadata": {"span_id": SPAN}}, HEADER),
        ({"id": ID, "trace_id": TRACE}, f"00-{TRACE}-800000000000abcd-01".encode()),
        ({"id": ID}, None),
        ({"id": ID, "trace_id": "not one"}, None),
        ({"id": ID, "trace_id": TRACE, "metadata": {"span_id": "x\r\ny"}}, None),
        ({"id": ID, "trace_id": TRACE, "metadata": []}, f"00-{TRACE}-800000000000abcd-01".encode()),
        ([], None),
    ],
)
def test_the_header_of_an_event(event: object, header: bytes | None) -> None:
    assert traceparent(json.dumps(event).encode()) == header


def test_a_batch_of_one_trace_is_in_it(spans: InMemorySpanExporter) -> None:
    with traces.of_batch("insert", [HEADER, HEADER], {"n": 2}):
        pass
    [span] = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.links == ()


def test_a_batch_of_several_has_links(spans: InMemorySpanExporter) -> None:
    second = f"00-{OTHER}-{SPAN}-01".encode()
    with traces.of_batch("insert", [HEADER, second, b"broken", b"\xff"], {}):
        pass
    [span] = spans.get_finished_spans()
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE, OTHER]


def test_many_traces_have_a_bounded_number_of_links(spans: InMemorySpanExporter) -> None:
    many = (f"00-{number:032x}-{SPAN}-01".encode() for number in range(1, 10_000))
    with traces.of_batch("insert", many, {}):
        pass
    [span] = spans.get_finished_spans()
    assert len(span.links) == 128


def test_a_request_and_its_query_are_of_the_callers_trace(spans: InMemorySpanExporter) -> None:
    with traces.of_request(HEADER) as tell:
        with traces.of_query() as headers:
            pass
        tell("/v1/x", 200)
    query, request = spans.get_finished_spans()
    assert request.context is not None
    assert request.parent is not None
    assert query.parent is not None
    assert f"{request.parent.span_id:016x}" == SPAN
    assert query.parent.span_id == request.context.span_id
    assert headers["traceparent"].split("-")[1] == TRACE
    assert request.name == "GET /v1/x"
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200


def test_off_it_does_nothing_and_imports_nothing() -> None:
    code = """
import sys
from activity_telemetry.settings import TraceSettings
from activity_telemetry.traces import traces
traces.start(TraceSettings(), "x")
with traces.of_batch("a", [b"x"], {}), traces.of_request(b"y") as tell, traces.of_query() as found:
    tell("a", 1)
assert found == {} and not traces.is_on
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_the_extra_is_missing_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ValidationError, match=r"activity-pipeline\[otel\]"):
        TraceSettings(enabled=True)


def test_one_that_is_off_stays_off() -> None:
    other = Traces()
    other.start(TraceSettings(enabled=False), "x", InMemorySpanExporter())
    assert not other.is_on
