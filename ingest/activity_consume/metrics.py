"""What the consumer has done, for people and for Prometheus."""

from collections import Counter
from collections.abc import Mapping

from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.batch import Batch, Source
from activity_consume.health import Health, Part
from activity_consume.sink.clickhouse import InsertError, first_line


class Stats:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self.events: Counter[Source] = Counter()
        self.duplicates: Counter[Source] = Counter()
        self.dead_letters: Counter[Source] = Counter()
        self.batches: Counter[Source] = Counter()
        self.settled_offset: dict[Source, int] = {}
        #: Per partition: messages that Kafka has and the table does not.
        self.lag: dict[Source, int] = {}
        #: The offset before which a partition stands, because nobody can read on.
        self.unreadable: dict[Source, int] = {}
        #: For how long an open transaction has kept a partition from being read on.
        self.open_transaction: dict[Source, float] = {}
        self.health = Health()

    def settled(self, source: Source, batch: Batch) -> None:
        """A batch is in the table and committed."""
        self.recovered(source)
        self.events[source] += batch.count
        self.duplicates[source] += batch.duplicates
        self.dead_letters[source] += len(batch.dead)
        self.batches[source] += 1
        self.settled_offset[source] = batch.next_offset

    def behind(self, ends: Mapping[Source, int], settled: Mapping[Source, int]) -> None:
        """How far the partitions held are settled, and where they end."""
        self.lag = {one: max(0, end - settled[one]) for one, end in ends.items() if one in settled}

    @property
    def trouble(self) -> str:
        """Why events do not get on, '' if they do."""
        return self.health.trouble

    def failed(self, source: Source, what: str, error: Exception) -> None:
        """Something of this partition is being tried again. `what`: in a few words."""
        theirs = isinstance(error, (ClickHouseError, InsertError))
        part, name = (Part.CLICKHOUSE, "ClickHouse") if theirs else (Part.KAFKA, "Kafka")
        self.health.failed(source, part, f"{name}: {source}: {what}: {first_line(error)}")

    def recovered(self, source: Source) -> None:
        """It has worked, or is no longer ours."""
        self.health.recovered(source)

    def prometheus(self, ready: bool = True) -> str:
        """Prometheus' text format. `ready`: as the readiness page has it."""
        up = {f"{part}_up": self.health.is_up(part) for part in Part} | {"ready": ready}
        lines: list[str] = []
        for name, value in up.items():
            lines.append(f"# TYPE activity_consumer_{name} gauge")
            lines.append(f"activity_consumer_{name} {int(value)}")
        for name, kind, values in (
            ("events_total", "counter", self.events),
            ("duplicates_dropped_total", "counter", self.duplicates),
            ("dead_letters_total", "counter", self.dead_letters),
            ("batches_total", "counter", self.batches),
            ("settled_offset", "gauge", self.settled_offset),
            ("lag", "gauge", self.lag),
            ("unreadable", "gauge", self.unreadable),
            ("open_transaction_seconds", "gauge", self.open_transaction),
        ):
            lines.append(f"# TYPE activity_consumer_{name} {kind}")
            lines += [
                f'activity_consumer_{name}{{topic="{source.topic}",'
                f'partition="{source.partition}"}} {value}'
                for source, value in values.items()
            ]
        return "\n".join(lines) + "\n"
