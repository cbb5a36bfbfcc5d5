"""What the client library cannot read: it is said, the partition stands still, others go on."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.brokers.kafka_log import Unreadable
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.delivery.open_partition import PartitionOpener
from activity_consume.delivery.resume import after_gap, cut_off
from activity_consume.errors import first_line
from activity_consume.health import Part
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """A message that was not read, as far as a dead letter can tell. `timestamp`: when that was
    found out, Unix milliseconds."""

    offset: int
    timestamp: int
    key: None = None
    value: None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(slots=True)
class _Standing:
    """A partition that stands before something unreadable."""

    found: Unreadable
    is_written: bool = False
    is_given_up: bool = False


class Unreadables:
    """Reads beside the client where that has failed, and stands still where that fails, too.

    The place is a dead letter `unreadable` as soon as it is found; to drop that letter is the
    operator's word that the consumer shall go on after it. Everything may raise KafkaError and
    ClickHouseError and GapError.
    """

    def __init__(
        self,
        opener: PartitionOpener,
        client: Callable[[], tuple[AIOKafkaConsumer, KafkaOffsetStore]],
        accumulators: Callable[[], Mapping[TopicPartition, BatchAccumulator]],
    ) -> None:
        """`opener`: what all partitions share. `accumulators`: of the partitions that are read."""
        self._sink = opener.sink
        self._dead_letters = opener.dead_letters
        self._settings = opener.settings
        self._stats = opener.stats
        self._memory = opener.memory
        self._client = client
        self._accumulators = accumulators
        self._standing: dict[TopicPartition, _Standing] = {}

    def stands(self, partition: TopicPartition) -> bool:
        """Nothing of this partition is read by the client."""
        return partition in self._standing

    def forget(self, partition: TopicPartition) -> None:
        """It is no longer ours."""
        if self._standing.pop(partition, None):
            self._stats.state.unreadable.pop(partition, None)
            self._stats.health.recovered(("unreadable", partition))

    def rewind(self) -> None:
        """The client has dropped what it had fetched, of any partition: it fetches all once more.
        Without an await, or it would be taken for passed over."""
        consumer, _ = self._client()
        mine = consumer.assignment()
        for accumulator in self._accumulators().values():
            if accumulator.partition in mine:
                consumer.seek(accumulator.partition, accumulator.next_offset)

    async def after(self, error: Exception) -> None:
        """The client has raised this: find the message that is to blame. Raises GapError
        alone."""
        explained = isinstance(error, OffsetOutOfRangeError)
        for accumulator in list(self._accumulators().values()):
            try:
                if not self.stands(accumulator.partition):
                    await self.read_beside(accumulator)
                    explained = explained or self.stands(accumulator.partition)
            except KafkaError as trouble:  # the client will be asked again
                error = trouble
        if not explained:
            text = f"Kafka: the client cannot read: {first_line(error)}"
            self._stats.health.failed("client", Part.KAFKA, text)

    async def read_beside(self, accumulator: BatchAccumulator) -> None:
        """Take what comes next without the client, which goes on after it."""
        consumer, offset_store = self._client()
        partition, expected = accumulator.partition, accumulator.next_offset
        try:
            piece = await offset_store.read(partition, expected)
        except OffsetOutOfRangeError:
            bounds = await offset_store.bounds(partition)
            if not self._is_ours(accumulator):
                return
            if bounds.end < expected:
                raise cut_off(partition, bounds.end, expected) from None
            if bounds.begin > expected:
                after_gap(partition, expected, bounds, self._settings)
                accumulator.pass_over(bounds.begin, time.time())
                consumer.seek(partition, bounds.begin)
                self._go_on(partition)
            return
        if not self._is_ours(accumulator):
            return
        now = time.time()
        self._memory.take(accumulator.add(piece.records, now))
        accumulator.pass_over(piece.next_offset, now)
        consumer.seek(partition, accumulator.next_offset)
        if piece.unreadable is None:
            self._go_on(partition)
        elif (
            not self.stands(partition)
            or self._standing[partition].found.offset != accumulator.next_offset
        ):
            self.forget(partition)
            consumer.pause(partition)
            self._stand(partition, piece.unreadable)

    async def ask(self) -> None:
        """Bury what is new, and ask what has been given up. Raises KafkaError, ClickHouseError."""
        for partition, standing in list(self._standing.items()):
            found = standing.found
            if not standing.is_written:
                letters = _letters(partition, found.offset, found.offset + 1, found)
                await self._dead_letters.write(letters)
                standing.is_written = True
            standing.is_given_up = await self._sink.is_given_up(
                partition, found.offset, Reason.UNREADABLE
            )

    async def look(self, accumulator: BatchAccumulator) -> None:
        """At a partition that stands: has it been given up, is it gone, can it be read by now?"""
        partition = accumulator.partition
        standing = self._standing[partition]
        if not standing.is_given_up:
            await self.read_beside(accumulator)
            return
        found = standing.found
        log.warning(
            "%s: going on at offset %d, as told; %d messages were not read",
            *(partition, found.end, found.end - found.offset),
        )
        letters = _letters(partition, found.offset + 1, found.end, found)
        accumulator.skip(letters, found.end, time.time())
        consumer, _ = self._client()
        consumer.seek(partition, found.end)
        self._go_on(partition)

    def _is_ours(self, accumulator: BatchAccumulator) -> bool:
        """The group has not taken it away, nor given it back, while something was waited for."""
        return self._accumulators().get(accumulator.partition) is accumulator

    def _stand(self, partition: TopicPartition, found: Unreadable) -> None:
        self._standing[partition] = _Standing(found)
        self._stats.state.unreadable[partition] = found.offset
        rest = f" to {found.end - 1}" if found.end - found.offset > 1 else ""
        self._stats.health.failed(
            ("unreadable", partition),
            f"unreadable {partition}",
            f"Kafka: {partition} stands still at offset {found.offset}: a message cannot be parsed"
            f" (offset {found.offset}{rest}: {found.why})",
            then="All before it goes into the table, other partitions go on. Look at it with"
            f" Kafka's own tools; to go on without offset {found.offset}{rest}:"
            f" activity dlq drop {partition.label}/{partition.partition}/{found.offset}",
        )

    def _go_on(self, partition: TopicPartition) -> None:
        if partition in self._standing:
            self.forget(partition)
            consumer, _ = self._client()
            consumer.resume(partition)


def _letters(
    partition: TopicPartition, first: int, end: int, found: Unreadable
) -> Sequence[DeadLetter]:
    now_ms = int(time.time() * 1000)
    detail = (
        f"{found.why}; the client library could not read offsets {found.offset} to {found.end - 1},"
        " so their bytes are not here"
    )
    return [
        DeadLetter(partition, UnreadRecord(offset, now_ms), Reason.UNREADABLE, detail)
        for offset in range(first, end)
    ]
