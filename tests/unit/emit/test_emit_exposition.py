"""The numbers of all publishers of a process, for whoever holds none of them."""

import gc

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from activity_emit import (
    ActivityCollector,
    EmitSettings,
    KafkaPublisher,
    process_metrics,
    prometheus,
)


def test_sums_over_the_publishers_that_live(request: pytest.FixtureRequest) -> None:
    gc.collect()  # other tests' publishers
    gc.disable()  # none of them goes while this test counts
    request.addfinalizer(gc.enable)
    before = process_metrics()
    settings = EmitSettings(queue_size=1)
    publishers = [KafkaPublisher(emit=settings) for _ in range(2)]
    for number, publisher in enumerate(publishers, 1):
        publisher._metrics.dropped = number
        publisher._metrics.published = 10 * number
    now = process_metrics()
    assert now.dropped - before.dropped == 3
    assert now.published - before.published == 30
    assert f"activity_emit_dropped_events_total {now.dropped}\n" in prometheus()
    assert "activity_emit_dropped_events_total 2\n" in prometheus(publishers[1].metrics())
    assert publishers[0].counts() == publishers[0].metrics()


def test_prometheus_client_shows_the_same_names_and_types() -> None:
    registry = CollectorRegistry()
    registry.register(ActivityCollector())
    page = generate_latest(registry).decode()
    lines = {line for line in page.splitlines() if line.startswith(("# TYPE", "activity_emit"))}
    names = {line.split()[0] for line in prometheus().splitlines() if not line.startswith("#")}
    assert {line.split()[0] for line in lines if not line.startswith("#")} == names
    assert "# TYPE activity_emit_published_events_total counter" in lines
    assert "# TYPE activity_emit_queued_events gauge" in lines
