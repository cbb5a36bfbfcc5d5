"""The partitions this consumer has, as the group gives and takes them."""

import asyncio
import itertools
import logging
import operator
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest.consume.batch import Source
from ingest.consume.commits import Commits, PartitionLostError
from ingest.consume.dead_letters import DeadLetters
from ingest.consume.intake import Intake
from ingest.consume.poison import PoisonError
from ingest.consume.room import Room
from ingest.consume.settings import ConsumerSettings
from ingest.consume.stats import Stats
from ingest.consume.store import EventStore, first_line
from ingest.consume.takeover import GapError, after_gap, cut_off, take_over
from ingest.consume.writer import PartitionWriter

log = logging.getLogger(__name__)
T = TypeVar("T")

_RETRY_SECONDS = 1.0
_WATCH_SECONDS = 1.0
# Looks at the same place after which nothing is on the way between the client and us.
_SAME_PLACE = 3


_partition = operator.attrgetter("partition")


class StopError(Exception):
    """The consumer must not go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where we are in a partition, where the client is, and how often this was seen in a row."""

    ours: int
    theirs: int
    looks: int = 1

    def after(self, before: "Place | None") -> "Place":
        same = before is not None and (before.ours, before.theirs) == (self.ours, self.theirs)
        return Place(self.ours, self.theirs, before.looks + 1) if before and same else self


@dataclass(slots=True)
class _Held:
    task: asyncio.Task[None]
    writer: PartitionWriter | None = None


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Takes partitions over, hands records to their writers, and gives partitions back.

    `consumer` and `commits` are set when the client has started, before it joins the group.
    """

    def __init__(
        self,
        store: EventStore,
        dead_letters: DeadLetters,
        settings: ConsumerSettings,
        stats: Stats,
        commits: Callable[[], tuple[AIOKafkaConsumer, Commits]],
    ) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._settings = settings
        self._stats = stats
        self._client = commits
        self._held: dict[Source, _Held] = {}
        self._room = Room(settings.buffer_max_bytes, settings.insert_max_concurrent)
        self._taking = asyncio.Lock()
        self._closed = False
        self._joined = False
        #: Ends with a StopError when the consumer must not go on.
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def ready(self) -> bool:
        """In the group, and every partition it has is taken over."""
        return self._joined and all(held.writer for held in self._held.values())

    def settled(self) -> dict[Source, int]:
        """Of each partition held, the offset below which all is in the table."""
        writers = {one: held.writer for one, held in self._held.items()}
        return {one: writer.settled for one, writer in writers.items() if writer}

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Called by aiokafka; does not wait, for there are no heartbeats meanwhile."""
        consumer, _ = self._client()
        # First of all and without an await: nothing may be fetched from where the group's offset
        # happens to stand. `_hold` seeks to the right one.
        consumer.pause(*assigned)
        self._joined = True
        for partition in assigned:
            source = Source(partition.topic, partition.partition)
            self._held[source] = _Held(asyncio.create_task(self._hold(source), name=str(source)))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Called by aiokafka before it joins again; the group waits for this."""
        del revoked  # with the classic protocol it is always all of them
        self._joined = False
        await self._give_back()

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Records of any partitions, each partition's in order. Waits while memory is full."""
        if self._closed:
            return
        async with self._taking:
            try:
                await self._take(records)
            except GapError as error:
                self._stop(error)
                return
        await self._room.wait()

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for partition, group in itertools.groupby(records, _partition):
            of_partition = list(group)
            held = self._held.get(Source(of_partition[0].topic, partition))
            if held is None or held.writer is None:
                continue  # it has left: its next owner reads them
            if held.writer.intake.poison:
                continue  # its writer stops when it has written what was before
            await self._check_order(held.writer, of_partition[0])
            self._room.take(held.writer.intake.add(of_partition, time.time()))
            held.writer.intake.behind_by(self._lag(held.writer.intake))

    def _lag(self, intake: Intake) -> int:
        """Messages that Kafka has and we have not taken, as of the last fetch."""
        consumer, _ = self._client()
        end = consumer.highwater(TopicPartition(intake.source.topic, intake.source.partition))
        return (end or 0) - intake.next_offset

    async def close(self) -> None:
        """Write what is in memory and release everything."""
        await self._give_back()
        self._closed = True

    async def _check_order(self, writer: PartitionWriter, first: ConsumerRecord) -> None:
        """What `auto_offset_reset='none'` would tell, which FastStream would only log."""
        source, expected = writer.intake.source, writer.intake.next_offset
        if first.offset == expected:
            return
        if first.offset < expected:
            raise cut_off(source, first.offset, expected)
        # A compacted or transactional topic has holes; retention makes one at the log's begin.
        _, commits = self._client()
        bounds = await commits.bounds(source)
        if bounds.begin > expected:
            after_gap(source, expected, bounds, self._settings)
            return
        await self._read_again(writer, first.offset, passed=True)

    async def watch(self) -> None:
        """See that the client hands over all that is there; until cancelled.

        aiokafka drops what it has fetched with a message that it cannot parse, and FastStream tries
        again without a word: either it stands still before the message, or passes over it.
        """
        seen: dict[Source, Place] = {}
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                async with self._taking:  # or what is being taken would be taken twice
                    seen = await self._look(seen)
            except GapError as error:
                self._stop(error)
            except (KafkaError, IllegalStateError) as error:
                log.warning("cannot compare positions: %s", first_line(error))

    async def _look(self, before: dict[Source, Place]) -> dict[Source, Place]:
        _, commits = self._client()
        seen: dict[Source, Place] = {}
        for source, held in list(self._held.items()):
            if held.writer is None or held.writer.intake.poison or self._room.is_full:
                continue
            ours, theirs = held.writer.intake.next_offset, await commits.position(source)
            place = seen[source] = Place(ours, theirs).after(before.get(source))
            if place.looks < _SAME_PLACE:
                continue
            end = theirs if theirs > ours else (await commits.bounds(source)).end
            if end > ours:
                await self._read_again(held.writer, end, passed=theirs > ours)
                seen.pop(source)
        return seen

    async def _read_again(self, writer: PartitionWriter, end: int, *, passed: bool) -> None:
        """Read from where the writer is to `end`, one by one. What the client has passed over is
        taken from here; what it has not will come from it. Raises GapError for what is unreadable.
        """
        source, expected = writer.intake.source, writer.intake.next_offset
        _, commits = self._client()
        records, unreadable = await commits.read_again(source, expected, end)
        if writer.intake.next_offset != expected:
            return  # it has come meanwhile
        if passed or unreadable:
            self._room.take(writer.intake.add(records, time.time()))
        if unreadable:
            await self._give_back()
            raise GapError(
                f"{source}: a message cannot be parsed ({unreadable}). All before it is in the"
                " table. Look at it with Kafka's own tools; to go on without it, delete up to it"
                " with kafka-delete-records and start once with"
                " ACTIVITY_CONSUMER_ON_RETENTION_GAP=continue"
            )

    async def _hold(self, source: Source) -> None:
        try:
            await self._take_over_and_write(source)
        except PartitionLostError as error:
            # The group's next call revokes it; until then its records are not taken.
            log.warning("%s: lost: %s", source, first_line(error))
            self._forget(source)
        except (GapError, PoisonError) as error:
            self._stop(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A bug here must stop the consumer, not leave a partition standing still.
            log.exception("%s: unexpected", source)
            self._stop(StopError(f"{source}: {type(error).__name__}: {first_line(error)}"))

    async def _take_over_and_write(self, source: Source) -> None:
        consumer, commits = self._client()
        while True:
            try:
                intake = await take_over(
                    source,
                    commits,
                    self._store,
                    self._dead_letters.stops,
                    self._settings,
                    partitions=len(self._held),
                )
                break
            except (ClickHouseError, KafkaError) as error:
                log.warning("%s: cannot take over yet: %s", source, first_line(error))
                self._stats.failed(source, first_line(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._stats.recovered(source)
        writer = PartitionWriter(
            intake,
            store=self._store,
            commits=commits,
            dead_letters=self._dead_letters,
            settings=self._settings,
            stats=self._stats,
            room=self._room,
        )
        self._held[source].writer = writer
        partition = TopicPartition(source.topic, source.partition)
        consumer.seek(partition, intake.next_offset)
        consumer.resume(partition)
        await writer.run()

    async def _give_back(self) -> None:
        """Let every writer finish within its time; then nothing of this consumer's goes on."""
        held, self._held = self._held, {}
        for one in held.values():
            if one.writer is None:
                one.task.cancel()
            else:
                one.writer.close()
        tasks = [one.task for one in held.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.flush_timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for source in held:
            self._stats.recovered(source)
        self._room.empty()

    def _forget(self, source: Source) -> None:
        held = self._held.pop(source, None)
        if held and held.writer:
            self._room.give_back(held.writer.intake.size)

    def _stop(self, error: Exception) -> None:
        self._closed = True
        self._room.empty()
        for held in self._held.values():
            held.task.cancel()
        if not self.stopped.done():
            self.stopped.set_exception(StopError(str(error)))
