"""What the consumer has done, for people and for Prometheus."""

from collections import Counter
from collections.abc import Mapping

from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.batch import Batch
from activity_consume.erasure.rules import Why
from activity_consume.errors import InsertError, first_line
from activity_consume.health import Health, Part
from activity_consume.record import TopicPartition


class Stats:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self.events: Counter[TopicPartition] = Counter()
        self.duplicates: Counter[TopicPartition] = Counter()
        self.dead_letters: Counter[TopicPartition] = Counter()
        #: What was forgotten and has come again, by why it was kept out.
        self.kept_out: dict[Why, Counter[TopicPartition]] = {why: Counter() for why in Why}
        self.batches: Counter[TopicPartition] = Counter()
        self.settled_offset: dict[TopicPartition, int] = {}
        #: Per partition: messages that Kafka has and the table does not.
        self.lag: dict[TopicPartition, int] = {}
        #: The offset before which a partition stands, because nobody can read on.
        self.unreadable: dict[TopicPartition, int] = {}
        #: For how long an open transaction has kept a partition from being read on.
        self.open_transaction: dict[TopicPartition, float] = {}
        self.health = Health()

    def settled(self, partition: TopicPartition, batch: Batch) -> None:
        """A batch is in the table and committed."""
        self.recovered(partition)
        self.events[partition] += batch.count
        self.duplicates[partition] += batch.duplicates
        self.dead_letters[partition] += len(batch.dead)
        for one in batch.kept_out:
            self.kept_out[one.why][partition] += 1
        self.batches[partition] += 1
        self.settled_offset[partition] = batch.next_offset

    def behind(
        self, ends: Mapping[TopicPartition, int], settled: Mapping[TopicPartition, int]
    ) -> None:
        """How far the partitions held are settled, and where they end."""
        self.lag = {one: max(0, end - settled[one]) for one, end in ends.items() if one in settled}

    @property
    def trouble(self) -> str:
        """Why events do not get on, '' if they do."""
        return self.health.trouble

    def failed(self, partition: TopicPartition, what: str, error: Exception) -> None:
        """Something of this partition is being tried again. `what`: in a few words."""
        theirs = isinstance(error, (ClickHouseError, InsertError))
        part, name = (Part.CLICKHOUSE, "ClickHouse") if theirs else (Part.KAFKA, "Kafka")
        self.health.failed(partition, part, f"{name}: {partition}: {what}: {first_line(error)}")

    def recovered(self, partition: TopicPartition) -> None:
        """It has worked, or is no longer ours."""
        self.health.recovered(partition)

    def prometheus(self, ready: bool = True) -> str:
        """Prometheus' text format. `ready`: as the readiness page has it."""
        up = {f"{part}_up": self.health.is_up(part) for part in Part} | {"ready": ready}
        lines: list[str] = []
        for name, value in up.items():
            lines.append(f"# TYPE activity_consumer_{name} gauge")
            lines.append(f"activity_consumer_{name} {int(value)}")
        series: tuple[tuple[str, str, Mapping[TopicPartition, float]], ...] = (
            ("events_total", "counter", self.events),
            ("duplicates_dropped_total", "counter", self.duplicates),
            ("dead_letters_total", "counter", self.dead_letters),
            *((f"{why}_total", "counter", self.kept_out[why]) for why in Why),
            ("batches_total", "counter", self.batches),
            ("settled_offset", "gauge", self.settled_offset),
            ("lag", "gauge", self.lag),
            ("unreadable", "gauge", self.unreadable),
            ("open_transaction_seconds", "gauge", self.open_transaction),
        )
        for name, kind, values in series:
            lines.append(f"# TYPE activity_consumer_{name} {kind}")
            lines += [
                f'activity_consumer_{name}{{topic="{partition.topic}",'
                f'partition="{partition.partition}"}} {value}'
                for partition, value in values.items()
            ]
        return "\n".join(lines) + "\n"
