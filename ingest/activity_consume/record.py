"""What is read: a record, and the partition that it stands in."""

from typing import Protocol

import aiokafka

Headers = tuple[tuple[str, bytes | None], ...]


class TopicPartition(aiokafka.TopicPartition):  # type: ignore[misc]
    """aiokafka's, with the topic's generation; `label` and `partition` are the columns `_topic` and
    `_partition`. Equal to aiokafka's own: the generation tells no two of them apart, because in one
    process it is the same for all partitions of a topic."""

    topic: str
    partition: int
    #: How often another topic was accepted under this name (sources/topic_guard.py).
    generation: int

    def __new__(cls, topic: str, partition: int, generation: int = 0) -> "TopicPartition":
        self: TopicPartition = super().__new__(cls, topic, partition)
        self.generation = generation
        return self

    @property
    def label(self) -> str:
        """The topic as the tables name it: no row of a former topic of that name is meant."""
        return f"{self.topic}#{self.generation}" if self.generation else self.topic

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Record(Protocol):
    """A message, as aiokafka hands it over: what is used of it. `timestamp`: Unix milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
