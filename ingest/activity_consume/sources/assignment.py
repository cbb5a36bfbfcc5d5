"""The partitions this consumer has, as the group gives and takes them."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import aiokafka
from aiokafka import ConsumerRebalanceListener
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.delivery.open_partition import Admission, PartitionOpener
from activity_consume.delivery.partition_writer import PartitionWriter
from activity_consume.errors import (
    GapError,
    PartitionLostError,
    PoisonError,
    StopError,
    TopicChangedError,
    first_line,
)
from activity_consume.record import TopicPartition
from activity_consume.sources.position_check import PositionCheck
from activity_consume.sources.record_router import Client, RecordRouter
from activity_consume.sources.topic_guard import TopicGuard
from activity_consume.sources.unreadable import Unreadables

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    task: asyncio.Task[None]
    writer: PartitionWriter | None = None


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Takes partitions over, and gives them back. What is fetched goes by `router`."""

    def __init__(self, opener: PartitionOpener, client: Client, *, topic: TopicGuard) -> None:
        """`client`: asked when it has started, before it joins the group."""
        self._opener = opener
        self._stats = opener.stats
        self._client = client
        self._topic = topic
        self._held: dict[TopicPartition, _Held] = {}
        #: Writers that have ended in a rebalance, until it has said whose the partitions are.
        self._left: dict[TopicPartition, PartitionWriter] = {}
        self._unreadables = Unreadables(opener, client, self._accumulators)
        self.router = RecordRouter(
            *(client, self._accumulators, self._unreadables),
            stats=opener.stats,
            memory=opener.memory,
            stop=self.stop,
        )
        self._closed = False
        self._joined = False
        #: Ends with a StopError when the consumer must not go on.
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pending(self) -> str:
        """Why it is not ready yet; '' in the group, with all that it has taken over."""
        if not self._joined:
            return "joining the group"
        waiting = [str(one) for one, held in self._held.items() if held.writer is None]
        return f"taking over {', '.join(waiting)}" if waiting else ""

    def settled(self) -> dict[TopicPartition, int]:
        """Of each partition held, the offset below which all is in the table."""
        return {one.accumulator.partition: one.settled for one in self._writers().values()}

    async def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        """Called by aiokafka; does not wait, for there are no heartbeats meanwhile."""
        consumer, _ = self._client()
        # First of all and without an await: nothing may be fetched from where the group's offset
        # happens to stand. `_write` seeks to the right one.
        consumer.pause(*assigned)
        self._joined = True
        left, self._left = self._left, {}
        for partition in (TopicPartition(*one) for one in assigned):
            holding = self._hold(partition, left.get(partition))
            self._held[partition] = _Held(asyncio.create_task(holding, name=str(partition)))

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        """Called by aiokafka before it joins again; the group waits for this."""
        del revoked  # with the classic protocol it is always all of them
        self._joined = False
        # All members wait for the slowest, so no insert begins now. Most partitions come back, and
        # go on with what they have in memory; the next owner of one that does not reads it again.
        self._left = await self._give_back(write=False)

    async def close(self) -> None:
        """Write what can be written soon, and release everything; waits for `flush_timeout_s` at
        most."""
        writers = await self._give_back(write=True)
        await self._tell(writers.values())
        self._closed = True

    async def watch(self) -> None:
        """See that partitions get on; until cancelled."""
        check = PositionCheck(
            *(self._client, self._accumulators, self._unreadables),
            stats=self._stats,
            memory=self._opener.memory,
            taking=self.router.taking,
        )
        try:
            await check.run()
        except GapError as error:
            self.stop(error)
        except Exception as error:
            log.exception("unexpected")
            self.stop(StopError(f"{type(error).__name__}: {first_line(error)}"))

    def stop(self, error: Exception) -> None:
        """Write nothing more, and end with this error's text."""
        self._closed = True
        self._opener.memory.empty()
        for held in self._held.values():
            held.task.cancel()
        if not self.stopped.done():
            self.stopped.set_exception(StopError(str(error)))

    def _writers(self) -> dict[TopicPartition, PartitionWriter]:
        return {one: held.writer for one, held in self._held.items() if held.writer}

    def _accumulators(self) -> dict[TopicPartition, BatchAccumulator]:
        """Of the partitions that are read: not of those that stop because of poison."""
        if self._closed:
            return {}
        found = {one: writer.accumulator for one, writer in self._writers().items()}
        return {one: accumulator for one, accumulator in found.items() if not accumulator.poison}

    async def _hold(self, partition: TopicPartition, left: PartitionWriter | None) -> None:
        try:
            await self._write(partition, left)
        except PartitionLostError as error:
            # The group's next call revokes it; until then its records are not taken.
            log.warning("%s: lost: %s", partition, first_line(error))
            self._forget(partition)
        except (GapError, PoisonError, StopError) as error:
            self.stop(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A bug here must stop the consumer, not leave a partition standing still.
            log.exception("%s: unexpected", partition)
            self.stop(StopError(f"{partition}: {type(error).__name__}: {first_line(error)}"))

    async def _write(self, partition: TopicPartition, left: PartitionWriter | None) -> None:
        consumer, offset_store = self._client()
        held = self._held[partition]
        while True:
            writer = await self._open(partition, offset_store, left)
            left = None
            held.writer = writer
            consumer.seek(partition, writer.accumulator.next_offset)
            consumer.resume(partition)
            with contextlib.suppress(TopicChangedError):
                await writer.run()
                return
            log.info("%s: the topic has changed: what was not written is read again", partition)
            async with self.router.taking:  # or what is being taken would go to the old writer
                if self._held.get(partition) is not held:
                    return  # given back meanwhile
                consumer.pause(partition)
                held.writer = None
                self._unreadables.forget(partition)
                self._opener.memory.give_back(writer.accumulator.size)

    async def _open(
        self,
        partition: TopicPartition,
        offset_store: KafkaOffsetStore,
        left: PartitionWriter | None,
    ) -> PartitionWriter:
        def held() -> int:
            return len(self._held)

        if left and (writer := await self._opener.reopen(left, offset_store, held)):
            return writer
        return await self._opener.open(partition, offset_store, held, self._admit)

    async def _admit(self, partition: TopicPartition) -> Admission:
        _, offset_store = self._client()
        admitted = await self._topic.admit(partition, offset_store, self._opener.sink)
        told_ms = self._topic.lookup_born_before_ms
        return Admission(admitted, told_ms, lambda: self._topic.is_unchanged(told_ms))

    async def _give_back(self, *, write: bool) -> dict[TopicPartition, PartitionWriter]:
        """Let every writer finish within its time; then nothing of this consumer's goes on. The
        writers, ended. `write`: also what is in memory."""
        held, self._held = self._held, {}
        for one in held.values():
            if one.writer is None:
                one.task.cancel()
            else:
                one.writer.close(write=write)
        tasks = [one.task for one in held.values()]
        if tasks:
            timeout_s = self._opener.settings.flush_timeout_s
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for partition in held:
            self._stats.released(partition)
            self._unreadables.forget(partition)
        self._opener.memory.empty()
        return {partition: one.writer for partition, one in held.items() if one.writer}

    async def _tell(self, writers: Iterable[PartitionWriter]) -> None:
        """How far they came: until somebody takes over, nobody else does."""
        with contextlib.suppress(ClickHouseError):
            settled = {one.accumulator.partition: one.settled for one in writers}
            await self._opener.settled.tell(settled)

    def _forget(self, partition: TopicPartition) -> None:
        held = self._held.pop(partition, None)
        self._stats.released(partition)
        self._unreadables.forget(partition)
        if held and held.writer:
            self._opener.memory.give_back(held.writer.accumulator.size)
