"""What the API has done and how it stands, for Prometheus.

One process has its own registry. Several (`ACTIVITY_API_WORKERS`) write into files of one
directory, prometheus_client's multiprocess mode, and whichever is asked answers for all.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from activity_telemetry.exposition import LATENCY_BUCKETS, BuildInfo, new_registry, page

#: Where prometheus_client keeps the numbers of several processes; its own name.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
#: The route of what no route takes: never the path, of which there are as many as callers like.
NO_ROUTE = "none"
STATUSES = (200, 401, 403, 404, 422, 429, 500, 503)
#: The two of the API, and those of ClickHouse.
LIMITS = (
    *("requests_per_second", "concurrent", "tails", "exports"),
    *("max_rows_to_read", "max_bytes_to_read", "max_execution_time", "max_memory_usage"),
)
OUTCOMES = ("answered", "refused", "away", "cancelled")


class ApiMetrics:
    """Each series is there from the start, with 0."""

    def __init__(self, routes: Iterable[str] = ()) -> None:
        """`routes`: their templates."""
        self._started = time()
        self.registry = registry = new_registry("api")

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"activity_api_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, mode: str) -> Gauge:
            full = f"activity_api_{name}"
            return Gauge(full, text, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            full = f"activity_api_{name}"
            return Histogram(full, text, labels, buckets=LATENCY_BUCKETS, registry=registry)

        self._requests = counter(
            "requests", "Requests answered, by route and status.", "route", "status"
        )
        self._seconds = histogram(
            "request_seconds", "Seconds from a request to the end of its answer.", "route"
        )
        self._running = gauge("requests_in_progress", "Requests not answered yet.", "livesum")
        self._engine = histogram(
            "engine_seconds",
            "Seconds of one query in ClickHouse, without waiting for a slot, by its outcome.",
            "outcome",
        )
        self._rows = counter("read_rows", "Rows that ClickHouse has read, by its own summary.")
        self._bytes = counter("read_bytes", "Bytes that ClickHouse has read, by its own summary.")
        self._limited = counter(
            "limited", "Requests refused because of a limit, by its name.", "limit"
        )
        self._tails = gauge("tails", "Live tails that are open.", "livesum")
        self._circuit = gauge(
            "circuit_open", "1 while ClickHouse is taken for away, and not asked.", "livemax"
        )
        self._through = gauge(
            "complete_through_timestamp_seconds",
            "Up to when all that Kafka had accepted is in the table, Unix; 0: not known.",
            "livemax",
        )
        self._age = gauge(
            "complete_through_age_seconds",
            "Age of that instant; while it is not known, how long the API runs.",
            "livemostrecent",
        )
        self._drift = gauge(
            "schema_drift", "Differences between the tables and this release's.", "livemax"
        )
        self._known = {NO_ROUTE, *routes}
        for route in self._known:
            self._seconds.labels(route)
            for status in STATUSES:
                self._requests.labels(route, status)
        for limit in LIMITS:
            self._limited.labels(limit)
        for outcome in OUTCOMES:
            self._engine.labels(outcome)
        self.complete(None)

    def began(self) -> None:
        """A request has come."""
        self._running.inc()

    def ended(self, route: str, status: int, seconds: float) -> None:
        """A request has its answer. `route`: its template."""
        known = route if route in self._known else NO_ROUTE
        self._running.dec()
        self._requests.labels(known, status).inc()
        self._seconds.labels(known).observe(seconds)

    def queried(self, outcome: str, seconds: float) -> None:
        """A query is over; `outcome` of OUTCOMES."""
        self._engine.labels(outcome).observe(seconds)

    def read(self, rows: int, size: int) -> None:
        """By a query, in the engine; `size` in bytes."""
        self._rows.inc(rows)
        self._bytes.inc(size)

    def limited(self, limit: str) -> None:
        """A request was refused because of one of LIMITS."""
        if limit in LIMITS:
            self._limited.labels(limit).inc()

    def tails(self, count: int) -> None:
        """So many are open."""
        self._tails.set(count)

    def circuit(self, is_open: bool) -> None:
        """Whether ClickHouse is taken for away."""
        self._circuit.set(is_open)

    def complete(self, through: float | None) -> None:
        """All that Kafka had accepted at this instant (Unix) is in the table; None: not known."""
        self._through.set(through or 0)
        self._age.set(max(0.0, time() - (through or self._started)))

    def drift(self, count: int) -> None:
        """So many differences between the tables and this release's."""
        self._drift.set(count)

    def page(self) -> bytes:
        """Prometheus' text format, over all workers."""
        directory = os.environ.get(DIRECTORY)
        if not directory:
            return page(self.registry)
        _forget_dead(Path(directory))
        registry = CollectorRegistry()
        registry.register(BuildInfo("api"))
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return page(registry)


def _forget_dead(directory: Path) -> None:
    """What a worker that is gone was doing, it does no more; what it has counted stays."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):
                file.unlink()
        except PermissionError:
            continue
