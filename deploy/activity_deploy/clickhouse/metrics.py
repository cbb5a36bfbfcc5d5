"""What the local ClickHouse has done, for Prometheus. A real server has its own page."""

from prometheus_client import Counter, Histogram

from activity_telemetry.exposition import LATENCY_BUCKETS, new_registry, page

OUTCOMES = ("ok", "error", "cancelled")


class EngineMetrics:
    """Statements since the start."""

    def __init__(self) -> None:
        self._registry = new_registry("local-clickhouse")
        self._statements = Counter(
            "activity_local_clickhouse_statements",
            "Statements that were run, by how they ended.",
            ["outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "activity_local_clickhouse_statement_seconds",
            "Seconds from a statement's last byte to its answer.",
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        for outcome in OUTCOMES:
            self._statements.labels(outcome)

    def ran(self, outcome: str, seconds: float) -> None:
        """A statement is over; `outcome` of OUTCOMES."""
        self._statements.labels(outcome).inc()
        self._seconds.observe(seconds)

    def page(self) -> bytes:
        """Prometheus' text format."""
        return page(self._registry)
