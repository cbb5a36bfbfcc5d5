"""The partitions this consumer has, as the group gives and takes them."""

import asyncio
import contextlib
import itertools
import logging
import operator
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.accumulator import Intake
from activity_consume.batching.batch import Source
from activity_consume.batching.memory_budget import Room
from activity_consume.batching.poison import PoisonError
from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.offsets import Commits, PartitionLostError
from activity_consume.delivery.partition_writer import PartitionWriter, TopicChangedError
from activity_consume.delivery.resume import GapError, take_over
from activity_consume.metrics import Stats
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, first_line
from activity_consume.sources.position_check import Watch
from activity_consume.sources.topic_guard import TopicGuard
from activity_consume.sources.unread import Unreadables

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0

_partition = operator.attrgetter("partition")


class StopError(Exception):
    """The consumer must not go on; the text says why and what to do."""


@dataclass(slots=True)
class _Held:
    task: asyncio.Task[None]
    writer: PartitionWriter | None = None


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Takes partitions over, hands records to their writers, and gives partitions back."""

    def __init__(
        self,
        store: EventStore,
        dead_letters: DeadLetters,
        settings: ConsumerSettings,
        stats: Stats,
        commits: Callable[[], tuple[AIOKafkaConsumer, Commits]],
        *,
        topic: TopicGuard,
    ) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._settings = settings
        self._stats = stats
        self._client = commits
        self._topic = topic
        self._held: dict[Source, _Held] = {}
        self._room = Room(settings.buffer_max_bytes, settings.insert_max_concurrent)
        self._unreadables = Unreadables(
            store=store,
            dead_letters=dead_letters,
            settings=settings,
            stats=stats,
            room=self._room,
            client=commits,
            intakes=self._intakes,
        )
        self._taking = asyncio.Lock()
        self._closed = False
        self._joined = False
        #: Ends with a StopError when the consumer must not go on.
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pending(self) -> str:
        """Why it is not ready yet; '' in the group, with all that it has taken over."""
        if not self._joined:
            return "joining the group"
        waiting = [str(source) for source, held in self._held.items() if held.writer is None]
        return f"taking over {', '.join(waiting)}" if waiting else ""

    def settled(self) -> dict[Source, int]:
        """Of each partition held, the offset below which all is in the table."""
        writers = [held.writer for held in self._held.values() if held.writer]
        return {writer.intake.source: writer.settled for writer in writers}

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
                await self._pass_over()
            except GapError as error:
                self.stop(error)
                return
            except Exception as error:
                # FastStream would log it and go on without these records.
                log.exception("unexpected")
                self.stop(StopError(f"{type(error).__name__}: {first_line(error)}"))
                return
        self._stats.health.recovered("client")
        await self._room.wait()

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for partition, group in itertools.groupby(records, _partition):
            of_partition = list(group)
            held = self._held.get(Source(of_partition[0].topic, partition))
            if held is None or held.writer is None:
                continue  # it has left: its next owner reads them
            intake = held.writer.intake
            if intake.poison:
                continue  # its writer stops when it has written what was before
            if not await self._is_next(intake, of_partition):
                continue
            self._room.take(intake.add(of_partition, time.time()))
            intake.behind_by(self._lag(intake))

    async def _is_next(self, intake: Intake, records: Sequence[ConsumerRecord]) -> bool:
        """No: they were on their way here when the client was sent to another place, and come once
        more from there. Offsets that are left out have no record."""
        place = await self._place(intake.source)
        if intake.next_offset <= records[0].offset and records[-1].offset < place:
            return True
        consumer, _ = self._client()
        partition = TopicPartition(intake.source.topic, intake.source.partition)
        if partition in consumer.assignment():
            consumer.seek(partition, intake.next_offset)
        return False

    async def _place(self, source: Source) -> int:
        """The next offset that the client will hand over; -1: the group is taking it away."""
        _, commits = self._client()
        try:
            return await commits.position(source)
        except IllegalStateError:
            return -1

    async def _pass_over(self) -> None:
        """All that the client has handed over is taken: what it has passed over were no records."""
        for source, intake in self._intakes().items():
            if not self._unreadables.stands(source):
                intake.pass_over(await self._place(source), time.time())

    async def idle(self) -> None:
        """The client has nothing to hand over; but it may have passed over something."""
        self._stats.health.recovered("client")
        async with self._taking:
            await self._pass_over()

    async def failed(self, error: Exception) -> None:
        """The client has raised this when it was asked for records, and may have dropped some of
        any partition: each is read beside it, and then by it from where we are."""
        if isinstance(error, NoOffsetForPartitionError):
            return  # nothing is read before a take-over has said from where
        self._unreadables.rewind()
        async with self._taking:
            try:
                await self._unreadables.after(error)
            except GapError as found:
                self.stop(found)

    def _lag(self, intake: Intake) -> int:
        """Messages that Kafka has and we have not taken, as of the last fetch."""
        consumer, _ = self._client()
        end = consumer.highwater(TopicPartition(intake.source.topic, intake.source.partition))
        return (end or 0) - intake.next_offset

    async def close(self) -> None:
        """Write what is in memory and release everything."""
        await self._give_back()
        self._closed = True

    async def watch(self) -> None:
        """See that partitions get on; until cancelled."""
        watch = Watch(
            intakes=self._intakes,
            client=self._client,
            unreadables=self._unreadables,
            stats=self._stats,
            room=self._room,
            taking=self._taking,
        )
        try:
            await watch.run()
        except GapError as error:
            self.stop(error)
        except Exception as error:
            log.exception("unexpected")
            self.stop(StopError(f"{type(error).__name__}: {first_line(error)}"))

    def _intakes(self) -> dict[Source, Intake]:
        """Of the partitions that are read: not of those that stop because of poison."""
        intakes = {one: held.writer.intake for one, held in self._held.items() if held.writer}
        return {one: intake for one, intake in intakes.items() if not intake.poison}

    async def _hold(self, source: Source) -> None:
        try:
            await self._take_over_and_write(source)
        except PartitionLostError as error:
            # The group's next call revokes it; until then its records are not taken.
            log.warning("%s: lost: %s", source, first_line(error))
            self._forget(source)
        except (GapError, PoisonError) as error:
            self.stop(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A bug here must stop the consumer, not leave a partition standing still.
            log.exception("%s: unexpected", source)
            self.stop(StopError(f"{source}: {type(error).__name__}: {first_line(error)}"))

    async def _take_over_and_write(self, source: Source) -> None:
        consumer, _ = self._client()
        partition = TopicPartition(source.topic, source.partition)
        while True:
            writer = self._held[source].writer = await self._take_over(source)
            consumer.seek(partition, writer.intake.next_offset)
            consumer.resume(partition)
            with contextlib.suppress(TopicChangedError):
                await writer.run()
                return
            log.info("%s: the topic has changed: what was not written is read again", source)
            async with self._taking:  # or what is being taken would go to the old writer
                consumer.pause(partition)
                self._held[source].writer = None
                self._unreadables.forget(source)
                self._room.give_back(writer.intake.size)

    async def _take_over(self, source: Source) -> PartitionWriter:
        _, commits = self._client()
        while True:
            try:
                source = await self._topic.admit(source, commits, self._store)
                told_ms = self._topic.ask_born_before_ms
                intake = await take_over(
                    *(source, commits, self._store, self._dead_letters.stops, self._settings),
                    partitions=len(self._held),
                )
                intake.ask_born_before(told_ms)
                break
            except (ClickHouseError, KafkaError) as error:
                self._stats.failed(source, "cannot take over yet", error)
                await asyncio.sleep(_RETRY_SECONDS)
        self._stats.recovered(source)
        return PartitionWriter(
            intake,
            store=self._store,
            commits=commits,
            dead_letters=self._dead_letters,
            settings=self._settings,
            stats=self._stats,
            room=self._room,
            is_unchanged=lambda: self._topic.is_unchanged(told_ms),
        )

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
            self._unreadables.forget(source)
        self._room.empty()

    def _forget(self, source: Source) -> None:
        held = self._held.pop(source, None)
        self._stats.recovered(source)
        self._unreadables.forget(source)
        if held and held.writer:
            self._room.give_back(held.writer.intake.size)

    def stop(self, error: Exception) -> None:
        """Write nothing more, and end with this error's text."""
        self._closed = True
        self._room.empty()
        for held in self._held.values():
            held.task.cancel()
        if not self.stopped.done():
            self.stopped.set_exception(StopError(str(error)))
