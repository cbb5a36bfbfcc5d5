"""What a topic still has of whom: read from its first message to its last, beside every group."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.erasure.rules import KeptOut, Rules
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import ValidEvent, validate

_POLL_SECONDS = 0.1
_POLLS = 50
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Found:
    """In one partition. `last`: the offset of the last of them, -1 if there is none; `youngest_ms`:
    Unix, by the records' times. `unreadable`: messages that the client library cannot read;
    `hidden`: offsets behind an open transaction."""

    count: int = 0
    last: int = -1
    youngest_ms: int = 0
    unreadable: int = 0
    hidden: int = 0

    def add(self, record: ConsumerRecord) -> None:
        self.count += 1
        self.last = record.offset
        self.youngest_ms = max(self.youngest_ms, record.timestamp)


async def read(
    log: KafkaLog, partition: TopicPartition, begin: int, end: int, into: Found
) -> AsyncIterator[ConsumerRecord]:
    """The records of `[begin, end)`. Raises KafkaError."""
    offset, polls = begin, 0
    while offset < end:
        piece = await log.read(partition, offset)
        for record in piece.records:
            if record.offset < end:
                yield record
        offset_before, offset = offset, piece.next_offset
        if piece.unreadable:
            into.unreadable += piece.unreadable.end - piece.unreadable.offset
            offset = piece.unreadable.end
        polls = polls + 1 if offset == offset_before else 0
        if polls > _POLLS:
            into.hidden = end - offset
            return
        if polls:
            await asyncio.sleep(_POLL_SECONDS)


async def look(
    log: KafkaLog,
    partition: TopicPartition,
    judge: Callable[[ConsumerRecord], KeptOut | None],
    keep: Callable[[KeptOut], None] = lambda _: None,
) -> Found:
    """What a partition has now. Raises KafkaError."""
    found = Found()
    begin, end = await log.bounds(partition)
    async for record in read(log, partition, begin, end, found):
        if known := judge(record):
            found.add(record)
            keep(known)
    return found


def judge_value(
    rules: Rules, key: bytes | None, value: bytes | None, timestamp_ms: int
) -> KeptOut | None:
    """As a consumer does, of a message whose record has this time."""
    verdict = validate(value, _LATEST)
    if isinstance(verdict, ValidEvent):
        return rules.why_of_event(verdict.org_id, verdict.timestamp, verdict.value)
    return rules.why_of_message(key, value, timestamp_ms)


def judge_event(rules: Rules) -> Callable[[ConsumerRecord], KeptOut | None]:
    return lambda record: judge_value(rules, record.key, record.value, record.timestamp)


def judge_letter(rules: Rules) -> Callable[[ConsumerRecord], KeptOut | None]:
    """Of a dead letter: as old as the message was in its topic."""

    def judge(record: ConsumerRecord) -> KeptOut | None:
        millis = record.timestamp
        for name, content in record.headers:
            if name == "activity-dlq-timestamp" and (content or b"").isdigit():
                millis = int(content)
        return rules.why_of_message(record.key, record.value, millis)

    return judge
