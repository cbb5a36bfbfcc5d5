"""What the consumer has done and how it stands, for Prometheus; what is wrong, for people."""

import time
from collections.abc import Callable, Mapping

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client import Counter, Histogram

from activity_consume.batching.batch import Batch
from activity_consume.erasure.rules import Why
from activity_consume.errors import InsertError, InsertFailure, first_line
from activity_consume.gauges import Gauges, State
from activity_consume.health import Health, Part
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from activity_telemetry.exposition import LATENCY_BUCKETS, new_registry, page

_PARTITION = ("topic", "partition")
#: Why something is tried again.
CAUSES = (
    *("clickhouse_away", "clickhouse_refused", "insert_failed", "insert_unknown"),
    *("insert_rejected", "kafka_away", "kafka_error"),
)
_KAFKA_AWAY = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError)
#: How an insert ended.
_OUTCOMES = ("confirmed", *(failure.name.lower() for failure in InsertFailure))
_KEPT_OUT = {Why.ERASED: "were erased", Why.EXPIRED: "have run out"}
_ROWS = (1, 10, 100, 1_000, 5_000, 10_000, 30_000, 60_000)
_BYTES = tuple(1 << shift for shift in range(10, 27, 2))
_AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Stats:
    """Counts since the start of the process, and the state of now. `now`: Unix seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.health = Health()
        self.state = State()
        self._registry = registry = new_registry("consumer")
        registry.register(Gauges(self.state, self.health, now))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"activity_consumer_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            full = f"activity_consumer_{name}"
            return Histogram(full, text, labels, buckets=buckets, registry=registry)

        self._events = counter("events", "Events written to the table and committed.", *_PARTITION)
        self._duplicates = counter(
            "duplicates_dropped", "Events that were in the table already.", *_PARTITION
        )
        self._dead = counter(
            "dead_letters", "Messages of settled batches that became dead letters.", *_PARTITION
        )
        #: What was forgotten and has come again, by why it was kept out.
        self._kept_out = {
            why: counter(why, f"Events kept out on arrival, because they {text}.", *_PARTITION)
            for why, text in _KEPT_OUT.items()
        }
        self._batches = counter("batches", "Batches written and committed.", *_PARTITION)
        self._by_partition = (
            *(self._events, self._duplicates, self._dead, self._batches),
            *self._kept_out.values(),
        )
        self._refused = counter("refused", "Messages refused, by reason.", "reason")
        self._retries = counter(
            "retries", "Attempts that failed and were made again, by what was wrong.", "cause"
        )
        self._inserts = histogram(
            "insert_seconds",
            "Seconds of one insert into events, by how it ended.",
            LATENCY_BUCKETS,
            "outcome",
        )
        self._rows = histogram("batch_rows", "Events in a batch that was written.", _ROWS)
        self._bytes = histogram("batch_bytes", "Bytes in memory of such a batch, roughly.", _BYTES)
        self._ages = histogram(
            "batch_age_seconds", "Seconds from a batch's first message to its commit.", _AGES
        )
        for reason in Reason:
            self._refused.labels(reason.value)
        for cause in CAUSES:
            self._retries.labels(cause)
        for outcome in _OUTCOMES:
            self._inserts.labels(outcome)

    def held(self, partition: TopicPartition) -> None:
        """A partition is ours: from here on each of its series is there."""
        for one in self._by_partition:
            one.labels(*_labels(partition))
        self.state.hold(partition, self._now())

    def released(self, partition: TopicPartition) -> None:
        """It is no longer ours; what was counted stays, but of a spool, which never comes back."""
        self.recovered(partition)
        self.state.release(partition)
        if ":" in partition.topic:
            for one in self._by_partition:
                one.remove(*_labels(partition))

    def settled(self, partition: TopicPartition, batch: Batch) -> None:
        """A batch is in the table and committed."""
        self.recovered(partition)
        labels, now = _labels(partition), self._now()
        self._events.labels(*labels).inc(batch.count)
        self._duplicates.labels(*labels).inc(batch.duplicates)
        self._dead.labels(*labels).inc(len(batch.dead))
        for one in batch.kept_out:
            self._kept_out[one.why].labels(*labels).inc()
        self._batches.labels(*labels).inc()
        for letter in batch.dead:
            self._refused.labels(letter.reason.value).inc()
        self._rows.observe(batch.count)
        self._bytes.observe(batch.size)
        self._ages.observe(max(0.0, now - batch.opened_at))
        self.state.settled_offset[partition] = batch.next_offset
        self.state.settled_at[partition] = now

    def inserted(self, seconds: float, failure: InsertFailure | None) -> None:
        """An insert has ended, after so many seconds."""
        self._inserts.labels(failure.name.lower() if failure else "confirmed").observe(seconds)

    def behind(
        self, ends: Mapping[TopicPartition, int], settled: Mapping[TopicPartition, int]
    ) -> None:
        """How far the partitions held are settled, and where they end."""
        for one, end in ends.items():
            if one in settled:
                self.state.log_end[one] = end
                self.state.lag[one] = max(0, end - settled[one])

    def complete(self, partition: TopicPartition, through_ms: int, server_ms: int) -> None:
        """All that Kafka had accepted at `through_ms` is in the table; both by the clock of
        ClickHouse, in Unix milliseconds."""
        self.state.complete_through[partition] = through_ms / 1000
        self.state.clock_ahead = server_ms / 1000 - self._now()

    @property
    def trouble(self) -> str:
        """Why events do not get on, '' if they do."""
        return self.health.trouble

    def failed(self, partition: TopicPartition, what: str, error: Exception) -> None:
        """Something of this partition is being tried again. `what`: in a few words."""
        self.retried(error)
        theirs = isinstance(error, (ClickHouseError, InsertError))
        part, name = (Part.CLICKHOUSE, "ClickHouse") if theirs else (Part.KAFKA, "Kafka")
        self.health.failed(partition, part, f"{name}: {partition}: {what}: {first_line(error)}")

    def retried(self, error: Exception) -> None:
        """Something is tried again because of this."""
        self._retries.labels(cause(error)).inc()

    def recovered(self, partition: TopicPartition) -> None:
        """It has worked, or is no longer ours."""
        self.health.recovered(partition)

    def prometheus(self, ready: bool = True) -> bytes:
        """Prometheus' text format. `ready`: as the readiness page has it."""
        self.state.ready = ready
        return page(self._registry)


def cause(error: Exception) -> str:
    """Of CAUSES."""
    if isinstance(error, InsertError):
        return f"insert_{error.failure.name.lower()}"
    if isinstance(error, ClickHouseError):
        return "clickhouse_away" if getattr(error, "code", None) is None else "clickhouse_refused"
    away = isinstance(error, _KAFKA_AWAY) or not isinstance(error, KafkaError)
    return "kafka_away" if away else "kafka_error"


def _labels(partition: TopicPartition) -> tuple[str, str]:
    return partition.topic, str(partition.partition)
