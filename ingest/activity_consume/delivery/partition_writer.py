"""One partition's batches, one after the other: dead letters, rows, then the commit."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.batch import Batch
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.dead_letter.poison_stops import PoisonRun, PoisonStop
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.batch_writer import BatchWriter
from activity_consume.delivery.erasure_gate import ErasureGate
from activity_consume.delivery.lease import ServerClock
from activity_consume.delivery.lease_keeper import LeaseKeeper
from activity_consume.delivery.offsets import Committed, OffsetStore
from activity_consume.delivery.patience import Patience
from activity_consume.erasure.known import Erasures
from activity_consume.errors import PoisonError, StopError, TopicChangedError
from activity_consume.metrics import Stats
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink

# Of `flush_timeout_s`: an insert that begins later may not end in time, and then the next owner
# waits for its lease; while what is only in memory is read again at once.
_BEGIN_WITHIN = 0.2


class PartitionWriter:
    """Owns a partition from its take-over until it is lost or closed.

    At any time at most one insert of the partition is on the way, so a row's `_base_offset` proves
    that everything below it is settled.
    """

    def __init__(
        self,
        accumulator: BatchAccumulator,
        *,
        sink: ClickHouseSink,
        offset_store: OffsetStore,
        dead_letters: DeadLetterWriter,
        settings: ConsumerSettings,
        stats: Stats,
        memory: MemoryBudget,
        erasures: Erasures,
        is_unchanged: Callable[[], Awaitable[bool]],
        clock: ServerClock,
        settled: int,
    ) -> None:
        """`memory`, to which each batch is given back, and `clock` are shared by all writers.
        `is_unchanged`: is the topic as it was when the accumulator was made? Raises GapError where
        it is another one, and KafkaError and ClickHouseError where nobody can tell now. `settled`:
        all below it is; what the accumulator has beyond it is in memory."""
        self.accumulator = accumulator
        self._dead_letters = dead_letters
        self._stats = stats
        self._memory = memory
        self.is_unchanged = is_unchanged
        #: Once it has ended: the commit that says so. None: it broke off, and somebody has to ask
        #: the table how far it came.
        self.left: Committed | None = None
        self._has_turn = False
        self._closing = asyncio.Event()
        self._begin_within_s = _BEGIN_WITHIN * settings.flush_timeout_s
        self._begin_by: float | None = None  # by the loop's clock, when it closes
        self._queueing: asyncio.Timeout | None = None
        partition = accumulator.partition
        self._patience = Patience(partition, stats)
        self._lease = LeaseKeeper(
            *(partition, offset_store, sink.now_ms, settings.session_timeout_s, self._patience),
            clock=clock,
            settled=settled,
            written=accumulator.written_base,
        )
        self._gate = ErasureGate(erasures, self._patience)
        self._batch_writer = BatchWriter(
            *(accumulator, sink, dead_letters, self._lease, self._patience),
            gate=self._gate,
            stats=stats,
            in_trouble=self._end_turn,  # the others need not wait
        )

    @property
    def settled(self) -> int:
        """All below this offset is in the table, or in the dead letters, and committed."""
        return self._lease.settled

    @property
    def written(self) -> int:
        """See Lease."""
        return self._lease.written

    async def run(self) -> None:
        """Write until closed. Raises PartitionLostError; TopicChangedError; PoisonError once all
        before the poison is written, and the poison in the dead letters; StopError."""
        try:
            await self._write_until_closed()
        except (PoisonError, StopError, TopicChangedError):
            with contextlib.suppress(KafkaError):  # without it the next owner waits a little
                await self._release()
            raise
        self.left = await self._release()

    async def _write_until_closed(self) -> None:
        await self._lease.commit(self.settled)
        while True:
            await self._wait_until_due()
            batch = await self._take_in_turn()
            try:
                if batch is not None:
                    await self._settle(batch)
                elif self._closing.is_set():
                    break
            finally:
                self._end_turn()
                self._memory.give_back(batch.size if batch else 0)

    async def _release(self) -> Committed | None:
        return None if self._batch_writer.in_doubt else await self._lease.release()

    def close(self, *, write: bool = True) -> None:
        """Release the lease, and let `run` end, when the insert on the way has ended. `write`: also
        what is in memory, if its turn comes soon; if not, the next owner reads it again."""
        self._closing.set()
        within_s = self._begin_within_s if write else 0
        self._begin_by = asyncio.get_running_loop().time() + within_s
        if self._queueing is not None:
            self._queueing.reschedule(self._begin_by)
        self.accumulator.filled.set()

    async def _wait_until_due(self) -> None:
        if not self._closing.is_set():
            await self.accumulator.filled.wait()
        while not self.accumulator.is_due(now := time.time()) and not self._closing.is_set():
            if self._memory.is_full:
                break  # no more comes before something has gone
            # Either it gets old, or it gets full while we sleep: look again in between.
            try:
                await asyncio.wait_for(
                    self._closing.wait(), max(0.005, min(0.05, self.accumulator.due_in(now)))
                )
            except TimeoutError:
                continue

    async def _take_in_turn(self) -> Batch | None:
        if self._begin_by is not None and asyncio.get_running_loop().time() >= self._begin_by:
            return None
        try:
            async with asyncio.timeout_at(self._begin_by) as self._queueing:
                await self._memory.turns.acquire()
        except TimeoutError:
            return None
        finally:
            self._queueing = None
        self._has_turn = True
        return self.accumulator.take()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._memory.turns.release()

    async def _settle(self, batch: Batch) -> None:
        # After all of the batch was fetched, and before anything of it is written: what a producer
        # that knows of added partitions has sent is here only if the brokers tell of them, too.
        if not await self._patience.wait_for("what topic it is", self.is_unchanged):
            raise TopicChangedError("partitions were added")
        await self._gate.open(batch)
        await self._patience.wait_for("dead letters", lambda: self._dead_letters.write(batch.dead))
        await self._batch_writer.write(batch)
        run, poison = self.accumulator.written(batch), self.accumulator.poison
        if run and not (poison and run.last_offset >= poison.last_offset):
            # The batch is not settled: what is in the table of it is found there again.
            await self._record(run)
            raise PoisonError(str(run))
        self.accumulator.settled()
        if poison and batch.next_offset > poison.last_offset:
            # Before the commit: after a crash in between it still stands there.
            await self._record(poison)
        else:
            poison = None
        self._end_turn()
        if batch.count:
            self._lease.written = batch.base_offset
        await self._lease.commit(batch.next_offset)
        self._stats.settled(self.accumulator.partition, batch)
        if poison:
            raise PoisonError(str(poison))

    async def _record(self, run: PoisonRun) -> None:
        stop = PoisonStop(run)
        await self._patience.wait_for(
            "where it stops", lambda: self._dead_letters.stops.write(stop)
        )
