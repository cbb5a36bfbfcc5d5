"""What the consumer has done, for people and for Prometheus."""

from collections import Counter

from activity_consume.batching.batch import Batch, Source


class Stats:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self.events: Counter[Source] = Counter()
        self.duplicates: Counter[Source] = Counter()
        self.dead_letters: Counter[Source] = Counter()
        self.batches: Counter[Source] = Counter()
        self.settled_offset: dict[Source, int] = {}
        self._troubles: dict[Source, str] = {}

    def settled(self, source: Source, batch: Batch) -> None:
        """A batch is in the table and committed."""
        self.recovered(source)
        self.events[source] += batch.count
        self.duplicates[source] += batch.duplicates
        self.dead_letters[source] += len(batch.dead)
        self.batches[source] += 1
        self.settled_offset[source] = batch.next_offset

    @property
    def trouble(self) -> str:
        """Why some partition does not go on, '' if all do."""
        return next(iter(self._troubles.values()), "")

    def failed(self, source: Source, why: str) -> None:
        """Something of this partition is being tried again."""
        self._troubles[source] = why

    def recovered(self, source: Source) -> None:
        """It has worked, or is no longer ours."""
        self._troubles.pop(source, None)

    def prometheus(self) -> str:
        """Prometheus' text format."""
        lines: list[str] = []
        for name, kind, values in (
            ("events_total", "counter", self.events),
            ("duplicates_dropped_total", "counter", self.duplicates),
            ("dead_letters_total", "counter", self.dead_letters),
            ("batches_total", "counter", self.batches),
            ("settled_offset", "gauge", self.settled_offset),
        ):
            lines.append(f"# TYPE activity_consumer_{name} {kind}")
            lines += [
                f'activity_consumer_{name}{{topic="{source.topic}",'
                f'partition="{source.partition}"}} {value}'
                for source, value in values.items()
            ]
        return "\n".join(lines) + "\n"
