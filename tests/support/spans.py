"""OpenTelemetry's spans of this process, kept in memory."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from activity_telemetry.settings import TraceSettings
from activity_telemetry.traces import traces


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Those that end in the test."""
    exporter = InMemorySpanExporter()
    traces.start(TraceSettings(enabled=True), "tests", exporter)
    yield exporter
    traces.stop()
