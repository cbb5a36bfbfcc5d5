"""How the consumer stands now, as gauges: read when Prometheus asks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from activity_consume.health import Health, Part
from activity_consume.record import TopicPartition

#: What may be wrong with a topic's configuration, see sources/topic_settings.py.
CONCERNS = ("compacted", "max_message_bytes", "near_deletion", "retention_bytes", "retention_ms")


@dataclass(slots=True)
class State:
    """Set by whoever knows. By partition: only of those that are held."""

    ready: bool = False
    held: dict[TopicPartition, float] = field(default_factory=dict)  # since, Unix seconds
    settled_offset: dict[TopicPartition, int] = field(default_factory=dict)
    settled_at: dict[TopicPartition, float] = field(default_factory=dict)
    log_end: dict[TopicPartition, int] = field(default_factory=dict)
    #: Messages that Kafka has and the table does not.
    lag: dict[TopicPartition, int] = field(default_factory=dict)
    complete_through: dict[TopicPartition, float] = field(default_factory=dict)
    #: Seconds that ClickHouse's clock is ahead of ours.
    clock_ahead: float = 0.0
    #: The offset before which a partition stands, because nobody can read on.
    unreadable: dict[TopicPartition, int] = field(default_factory=dict)
    #: For how long an open transaction has kept a partition from being read on.
    open_transaction: dict[TopicPartition, float] = field(default_factory=dict)
    group_members: int = 0
    buffered: Callable[[], int] = lambda: 0
    #: Those whose configuration is looked at, and what was found, as (topic, kind).
    topics: tuple[str, ...] = ()
    concerns: frozenset[tuple[str, str]] = frozenset()
    #: Differences between the tables and this release's.
    drift: int = 0

    def hold(self, partition: TopicPartition, since: float) -> None:
        """It is ours from now on."""
        self.held[partition] = since
        for known in (self.settled_offset, self.settled_at, self.log_end, self.lag):
            known.setdefault(partition, 0)

    def release(self, partition: TopicPartition) -> None:
        """It is somebody else's: what we knew of it is no longer true."""
        for known in (
            *(self.held, self.settled_offset, self.settled_at, self.log_end, self.lag),
            *(self.complete_through, self.unreadable, self.open_transaction),
        ):
            known.pop(partition, None)


class Gauges(Collector):
    """Of a State. `now`: Unix seconds."""

    def __init__(self, state: State, health: Health, now: Callable[[], float]) -> None:
        self._state = state
        self._health = health
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """All families, also those without a series."""
        state = self._state
        for part in Part:
            yield _one(f"{part}_up", _UP[part], self._health.is_up(part))
        yield _one(
            "ready", "1 when events are on their way into the table, see /readyz.", state.ready
        )
        yield _one(
            "group_members", "Members of the consumer group; 0: not known yet.", state.group_members
        )
        yield _one("partitions_held", "Partitions that this consumer has.", len(state.held))
        yield _one("buffered_bytes", "Bytes that wait in memory to be written.", state.buffered())
        yield _one(
            "unreadable_partitions",
            "Partitions that stand still before a message that cannot be read.",
            len(state.unreadable),
        )
        yield _one(
            "schema_drift", "Differences between the tables and this release's.", state.drift
        )
        yield _by(
            "settled_offset",
            "All below it is in the table or a dead letter; 0: nothing since the start.",
            state.settled_offset,
        )
        yield _by(
            "last_settled_timestamp_seconds",
            "When a batch was last settled, Unix; 0: none since the start.",
            state.settled_at,
        )
        yield _by(
            "log_end_offset",
            "The offset that the next message will get; 0: not known yet.",
            state.log_end,
        )
        yield _by("lag", "Messages that Kafka has and the table does not.", state.lag)
        yield _by(
            "complete_through_timestamp_seconds",
            "Up to when all that Kafka had accepted is in the table, Unix; 0: not known yet.",
            {one: state.complete_through.get(one, 0.0) for one in state.held},
        )
        yield _by(
            "freshness_seconds",
            "Age of that instant; while it is not known, how long the partition has been held.",
            self._freshness(),
        )
        yield _by(
            "unreadable",
            "The offset before which a partition stands still; only of those that do.",
            state.unreadable,
        )
        yield _by(
            "open_transaction_seconds",
            "For how long an open transaction has kept a partition waiting.",
            {one: state.open_transaction.get(one, 0.0) for one in state.held},
        )
        yield self._concerns()

    def _freshness(self) -> dict[TopicPartition, float]:
        now = self._now() + self._state.clock_ahead
        through = self._state.complete_through
        held = self._state.held
        return {one: max(0.0, now - through.get(one, since)) for one, since in held.items()}

    def _concerns(self) -> Metric:
        family = GaugeMetricFamily(
            "activity_consumer_topic_concern",
            "1 where a topic's configuration endangers events, by what it is.",
            labels=("topic", "kind"),
        )
        for topic in self._state.topics:
            for kind in CONCERNS:
                family.add_metric((topic, kind), (topic, kind) in self._state.concerns)
        return family


_UP = {
    Part.KAFKA: "1 when the brokers answer.",
    Part.COORDINATOR: "1 when the group's coordinator answers.",
    Part.TOPIC: "1 when the events' topic is there.",
    Part.DEAD_LETTER_TOPIC: "1 when the dead letters' topic is there.",
    Part.CLICKHOUSE: "1 when ClickHouse answers and its tables can be written to.",
}


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"activity_consumer_{name}", text, value=float(value))


def _by(name: str, text: str, values: Mapping[TopicPartition, float]) -> Metric:
    family = GaugeMetricFamily(f"activity_consumer_{name}", text, labels=("topic", "partition"))
    for one, value in values.items():
        family.add_metric((one.topic, str(one.partition)), value)
    return family
