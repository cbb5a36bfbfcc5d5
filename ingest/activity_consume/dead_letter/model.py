"""Dead letters: as they are written, and as the table `dead_letters` keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from activity_consume.record import Record, TopicPartition
from activity_consume.validation.validate import Reason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What ClickHouse's DateTime64 can show, in milliseconds.
_OLDEST = (datetime(1900, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_YOUNGEST = (datetime(2300, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1) - 1


class Status(StrEnum):
    """The table's Enum8."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is no event, and why, on its way to the dead letters. `detail`: for people."""

    partition: TopicPartition
    record: Record
    reason: Reason
    detail: str

    @property
    def why(self) -> str:
        """Reason and detail in one line."""
        return f"{self.reason.value}: {self.detail}"


@dataclass(frozen=True, slots=True, order=True)
class DeadLetterId:
    """Where the message stood; written `TOPIC/PARTITION/OFFSET`."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "DeadLetterId":
        """Raises ValueError, with a text for the one who wrote it."""
        topic, *numbers = text.rsplit("/", 2)
        if topic and len(numbers) == 2 and all(n.isascii() and n.isdecimal() for n in numbers):
            partition, offset = map(int, numbers)
            if partition < 2**16 and offset < 2**63:
                return cls(topic, partition, offset)
        raise ValueError(
            f"{text!r} is no dead letter's id; it is written TOPIC/PARTITION/OFFSET,"
            " as `activity dlq list` shows it"
        )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "DeadLetterId":
        """Of `source_topic` (as bytes), `source_partition`, `source_offset`."""
        return cls(row[0].decode(), *row[1:])

    @property
    def has_topic(self) -> bool:
        """Not so where it was read from a spool, without a broker: Kafka's names have no colon."""
        return ":" not in self.topic

    @property
    def kafka_topic(self) -> str:
        """Kafka's name of it: `#N` marks the Nth other topic that was accepted under that name."""
        return self.topic.partition("#")[0]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Summary:
    """A dead letter without its bytes. `size` is that of its value, None if it has none."""

    id: DeadLetterId
    reason: str
    detail: str
    status: Status
    timestamp: datetime
    size: int | None

    COLUMNS = (
        "source_topic, source_partition, source_offset, reason, detail, toString(status),"
        " toUnixTimestamp64Milli(source_timestamp), length(value)"
    )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Summary":
        """A row of COLUMNS, its texts as bytes."""
        reason, detail, status = (text.decode() for text in row[3:6])
        millis, size = row[6:]
        return cls(
            DeadLetterId.from_row(row[:3]), reason, detail, Status(status), as_time(millis), size
        )


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A whole one: the message as it was, to the byte."""

    id: DeadLetterId
    reason: str
    detail: str
    status: Status
    timestamp: datetime
    updated_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    COLUMNS = (
        "source_topic, source_partition, source_offset, reason, detail, toString(status),"
        " toUnixTimestamp64Milli(source_timestamp), toUnixTimestamp64Milli(updated_at),"
        " key, value, headers"
    )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "StoredDeadLetter":
        """A row of COLUMNS, its texts as bytes: a message's may be no UTF-8."""
        reason, detail, status = (text.decode() for text in row[3:6])
        born, updated, key, value, headers = row[6:]
        return cls(
            DeadLetterId.from_row(row[:3]),
            reason,
            detail,
            Status(status),
            as_time(born),
            as_time(updated),
            key,
            value,
            tuple((name.decode(), content) for name, content in headers),
        )


def as_time(millis: int) -> datetime:
    """Of a record's timestamp, which may be any number of 64 bits: a producer that counts in
    microseconds is in the year 58000. The nearest that the table can hold."""
    return _EPOCH + timedelta(milliseconds=min(max(millis, _OLDEST), _YOUNGEST))
