"""The numbers of this process' publishers, without holding one of them."""

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from activity_emit import lifecycle, metrics
from activity_emit.metrics import PublisherMetrics
from activity_emit.publisher import KafkaPublisher

if TYPE_CHECKING:
    from prometheus_client import Metric


def process_metrics() -> PublisherMetrics:
    """The sums over all publishers that live in this process. Does not block."""
    total = PublisherMetrics()
    for publisher in lifecycle.watched():
        if isinstance(publisher, KafkaPublisher):
            found = publisher.metrics()
            for field in fields(total):
                before = getattr(total, field.name)
                setattr(total, field.name, before + getattr(found, field.name))
    return total


def prometheus(numbers: PublisherMetrics | None = None) -> str:
    """Prometheus' text for a metrics page; by default of `process_metrics()`."""
    return metrics.prometheus(process_metrics() if numbers is None else numbers)


class ActivityCollector:
    """For prometheus_client: `REGISTRY.register(ActivityCollector())`. Only this needs it."""

    def collect(self) -> "Iterator[Metric]":
        """The families of `prometheus()`. Raises ImportError without prometheus_client."""
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

        yield from text_string_to_metric_families(prometheus())
