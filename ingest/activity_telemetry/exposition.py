"""A program's registry of metrics, with what every one of them tells, and its page."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client import disable_created_metrics as _no_created
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Seconds, from a query of a small org to one that is given up.
LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# A second series for each counter, with the time at which it began: nobody asks for it.
_no_created()  # type: ignore[no-untyped-call]


class BuildInfo(Collector):
    """`activity_build_info`, always 1: what runs, in its labels."""

    def __init__(self, part: str) -> None:
        self._labels = (part, release(), platform.python_version())

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "activity_build_info",
            "Always 1; labels tell the part, its release and its Python.",
            labels=("part", "version", "python"),
        )
        family.add_metric(self._labels, 1)
        yield family


def new_registry(part: str) -> CollectorRegistry:
    """A registry with what every part tells: what is built, and the process' use of the machine."""
    registry = CollectorRegistry()
    registry.register(BuildInfo(part))
    ProcessCollector(registry=registry)
    return registry


def page(registry: CollectorRegistry) -> bytes:
    """Prometheus' text format, of CONTENT_TYPE."""
    return generate_latest(registry)


def is_served_on(scope: Mapping[str, Any], metrics_port: int | None) -> bool:
    """Whether an ASGI request for the page came to the port that has it; None: any has."""
    return metrics_port in (None, (scope.get("server") or ("", None))[1])


def release() -> str:
    """The version of what is installed, `unknown` where it is not."""
    for name in ("activity-pipeline", "activity-emit"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
