"""What the client library cannot read: it is said, the partition stands still, others go on."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from activity_consume.batching.accumulator import Intake
from activity_consume.batching.batch import DeadLetter, Source
from activity_consume.batching.memory_budget import Room
from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.offsets import Commits
from activity_consume.delivery.resume import after_gap, cut_off
from activity_consume.health import Part
from activity_consume.metrics import Stats
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, first_line
from activity_consume.sources.kafka_log import Unreadable
from activity_consume.validation.validate import Reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
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
    is_buried: bool = False
    is_given_up: bool = False


class Unreadables:
    """Reads beside the client where that has failed, and stands still where that fails, too.

    The place is a dead letter `unreadable` as soon as it is found; to drop that letter is the
    operator's word that the consumer shall go on after it. Everything may raise KafkaError and
    ClickHouseError and GapError.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        dead_letters: DeadLetters,
        settings: ConsumerSettings,
        stats: Stats,
        room: Room,
        client: Callable[[], tuple[AIOKafkaConsumer, Commits]],
        intakes: Callable[[], Mapping[Source, Intake]],
    ) -> None:
        """`intakes`: of the partitions held."""
        self._store = store
        self._dead_letters = dead_letters
        self._settings = settings
        self._stats = stats
        self._room = room
        self._client = client
        self._intakes = intakes
        self._standing: dict[Source, _Standing] = {}

    def stands(self, source: Source) -> bool:
        """Nothing of this partition is read by the client."""
        return source in self._standing

    def forget(self, source: Source) -> None:
        """It is no longer ours."""
        if self._standing.pop(source, None):
            self._stats.unreadable.pop(source, None)
            self._stats.health.recovered(("unreadable", source))

    def rewind(self) -> None:
        """The client has dropped what it had fetched, of any partition: it fetches all once more.
        Without an await, or it would be taken for passed over."""
        consumer, _ = self._client()
        mine = consumer.assignment()
        for intake in self._intakes().values():
            partition = TopicPartition(intake.source.topic, intake.source.partition)
            if partition in mine:
                consumer.seek(partition, intake.next_offset)

    async def after(self, error: Exception) -> None:
        """The client has raised this: find the message that is to blame. Raises GapError
        alone."""
        explained = isinstance(error, OffsetOutOfRangeError)
        for intake in list(self._intakes().values()):
            try:
                if not self.stands(intake.source):
                    await self.read_beside(intake)
                    explained = explained or self.stands(intake.source)
            except KafkaError as trouble:  # the client will be asked again
                error = trouble
        if not explained:
            text = f"Kafka: the client cannot read: {first_line(error)}"
            self._stats.health.failed("client", Part.KAFKA, text)

    async def read_beside(self, intake: Intake) -> None:
        """Take what comes next without the client, which goes on after it."""
        consumer, commits = self._client()
        source, expected = intake.source, intake.next_offset
        partition = TopicPartition(source.topic, source.partition)
        try:
            piece = await commits.read(source, expected)
        except OffsetOutOfRangeError:
            bounds = await commits.bounds(source)
            if not self._is_ours(intake):
                return
            if bounds.end < expected:
                raise cut_off(source, bounds.end, expected) from None
            if bounds.begin > expected:
                after_gap(source, expected, bounds, self._settings)
                intake.pass_over(bounds.begin, time.time())
                consumer.seek(partition, bounds.begin)
                self._go_on(source)
            return
        if not self._is_ours(intake):
            return
        now = time.time()
        self._room.take(intake.add(piece.records, now))
        intake.pass_over(piece.next_offset, now)
        consumer.seek(partition, intake.next_offset)
        if piece.unreadable is None:
            self._go_on(source)
        elif not self.stands(source) or self._standing[source].found.offset != intake.next_offset:
            self.forget(source)
            consumer.pause(partition)
            self._stand(source, piece.unreadable)

    async def ask(self) -> None:
        """Bury what is new, and ask what has been given up. Raises KafkaError, ClickHouseError."""
        for source, standing in list(self._standing.items()):
            found = standing.found
            if not standing.is_buried:
                letters = _letters(source, found.offset, found.offset + 1, found)
                await self._dead_letters.bury(letters)
                standing.is_buried = True
            standing.is_given_up = await self._store.is_given_up(
                source, found.offset, Reason.UNREADABLE
            )

    async def look(self, intake: Intake) -> None:
        """At a partition that stands: has it been given up, is it gone, can it be read by now?"""
        source = intake.source
        standing = self._standing[source]
        if not standing.is_given_up:
            await self.read_beside(intake)
            return
        found = standing.found
        log.warning(
            "%s: going on at offset %d, as told; %d messages were not read",
            *(source, found.end, found.end - found.offset),
        )
        letters = _letters(source, found.offset + 1, found.end, found)
        intake.skip(letters, found.end, time.time())
        consumer, _ = self._client()
        consumer.seek(TopicPartition(source.topic, source.partition), found.end)
        self._go_on(source)

    def _is_ours(self, intake: Intake) -> bool:
        """The group has not taken it away, nor given it back, while something was waited for."""
        return self._intakes().get(intake.source) is intake

    def _stand(self, source: Source, found: Unreadable) -> None:
        self._standing[source] = _Standing(found)
        self._stats.unreadable[source] = found.offset
        rest = f" to {found.end - 1}" if found.end - found.offset > 1 else ""
        self._stats.health.failed(
            ("unreadable", source),
            f"unreadable {source}",
            f"Kafka: {source} stands still at offset {found.offset}: a message cannot be parsed"
            f" (offset {found.offset}{rest}: {found.why})",
            then="All before it goes into the table, other partitions go on. Look at it with"
            f" Kafka's own tools; to go on without offset {found.offset}{rest}:"
            f" activity dlq drop {source.label}/{source.partition}/{found.offset}",
        )

    def _go_on(self, source: Source) -> None:
        if source in self._standing:
            self.forget(source)
            consumer, _ = self._client()
            consumer.resume(TopicPartition(source.topic, source.partition))


def _letters(source: Source, first: int, end: int, found: Unreadable) -> Sequence[DeadLetter]:
    now_ms = int(time.time() * 1000)
    detail = (
        f"{found.why}; the client library could not read offsets {found.offset} to {found.end - 1},"
        " so their bytes are not here"
    )
    return [
        DeadLetter(source, Unread(offset, now_ms), Reason.UNREADABLE, detail)
        for offset in range(first, end)
    ]
