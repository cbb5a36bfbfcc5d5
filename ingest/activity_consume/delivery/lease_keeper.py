"""Keeps a partition's lease from running out."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from activity_consume.delivery.lease import Lease, ServerClock
from activity_consume.delivery.offsets import Committed, OffsetStore
from activity_consume.delivery.patience import Patience
from activity_consume.record import TopicPartition

_CLOCK_MAX_AGE_SECONDS = 30.0


class LeaseKeeper:
    """Commits what is settled, each time with a new lease. Everything may wait for the group's
    coordinator, and raises PartitionLostError where the group has given the partition away."""

    def __init__(
        self,
        partition: TopicPartition,
        offset_store: OffsetStore,
        now_ms: Callable[[], Awaitable[int]],
        session_timeout_s: float,
        patience: Patience,
        *,
        clock: ServerClock,
        settled: int,
        written: int = -1,
    ) -> None:
        """`now_ms`: asks the ClickHouse server's clock; `clock`: remembers it. `written`: see
        Lease."""
        #: All below this offset is in the table, or in the dead letters, and committed.
        self.settled = settled
        self.written = written
        self._partition = partition
        self._offset_store = offset_store
        self._now_ms = now_ms
        self._length_ms = int(session_timeout_s * 1000)
        self._patience = patience
        self._clock = clock
        self._lease = Lease(0)

    async def commit(self, settled: int) -> None:
        """All below `settled` is done with. The new lease counts only once this has succeeded."""
        if self._clock.age() > _CLOCK_MAX_AGE_SECONDS:
            self._clock.learn(await self._patience.wait_for("the clock", self._now_ms))
        lease = Lease(self._clock.now_ms() + self._length_ms, written=self.written)
        self.settled = settled
        await self._offset_store.commit(self._partition, settled, lease)
        self._lease = lease

    async def valid(self) -> Lease:
        """A lease with at least three quarters of its time left: a large batch takes some of it."""
        if self._lease.until_ms - self._clock.now_ms() < 0.75 * self._length_ms:
            await self.commit(self.settled)
        return self._lease

    async def release(self) -> Committed:
        """Nothing of ours is on the way: the next owner need not wait. The commit that says so.
        Raises KafkaError, too."""
        lease = Lease(0, released=True, written=self.written, mark=uuid4().hex)
        await self._offset_store.commit(self._partition, self.settled, lease)
        return Committed(self.settled, lease)
