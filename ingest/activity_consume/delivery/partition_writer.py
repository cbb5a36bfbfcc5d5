"""One partition's batches, one after the other: dead letters, rows, then the commit."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.accumulator import Intake
from activity_consume.batching.batch import Batch, DeadLetter
from activity_consume.batching.memory_budget import Room
from activity_consume.batching.poison import PoisonError, PoisonRun
from activity_consume.batching.rows import Chunk, Row, halves, without
from activity_consume.dead_letter.poison_stops import PoisonStop
from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.lease import Lease, ServerClock
from activity_consume.delivery.offsets import CommitLog, PartitionLostError
from activity_consume.metrics import Stats
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, InsertError, Refusal
from activity_consume.validation.validate import Reason

T = TypeVar("T")

_CLOCK_MAX_AGE_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 5.0


class TopicChangedError(Exception):
    """Partitions were added: a copy of what is in memory may have come in another partition before,
    and was not looked for. It is to be read once more."""


async def _never_changes() -> bool:
    return True


class PartitionWriter:
    """Owns a partition from its take-over until it is lost or closed.

    At any time at most one insert of the partition is on the way, so a row's `_base_offset` proves
    that everything below it is settled.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        store: EventStore,
        commits: CommitLog,
        dead_letters: DeadLetters,
        settings: ConsumerSettings,
        stats: Stats,
        room: Room,
        is_unchanged: Callable[[], Awaitable[bool]] = _never_changes,
    ) -> None:
        """`room` is shared by all writers; each batch is given back to it. `is_unchanged`: is the
        topic as it was when the intake was made? Raises GapError where it is another one, and
        KafkaError and ClickHouseError where that is not known now."""
        self.intake = intake
        self._source = intake.source
        self._store = store
        self._commits = commits
        self._dead_letters = dead_letters
        self._settings = settings
        self._stats = stats
        self._room = room
        self._is_unchanged = is_unchanged
        self._has_turn = False
        self._clock = ServerClock()
        self._lease = Lease(0)
        #: All below this offset is in the table, or buried, and committed.
        self.settled = intake.next_offset
        self._in_doubt = False
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Write until closed. Raises PartitionLostError and TopicChangedError, and PoisonError once
        all before the poison is written and the poison buried."""
        try:
            await self._write_until_closed()
        except (PoisonError, TopicChangedError):
            with contextlib.suppress(KafkaError):  # without it the next owner waits a little
                await self._release()
            raise
        await self._release()

    async def _write_until_closed(self) -> None:
        await self._renew_lease()
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
                self._room.give_back(batch.size if batch else 0)

    async def _release(self) -> None:
        if not self._in_doubt:
            await self._commits.commit(self._source, self.settled, Lease(0, released=True))

    def close(self) -> None:
        """Write what is in memory, release the lease, and let `run` end."""
        self._closing.set()
        self.intake.filled.set()

    async def _wait_until_due(self) -> None:
        if not self._closing.is_set():
            await self.intake.filled.wait()
        while not self.intake.is_due(now := time.time()) and not self._closing.is_set():
            if self._room.is_full:
                break  # no more comes before something has gone
            # Either it gets old, or it gets full while we sleep: look again in between.
            try:
                await asyncio.wait_for(
                    self._closing.wait(), max(0.005, min(0.05, self.intake.due_in(now)))
                )
            except TimeoutError:
                continue

    async def _take_in_turn(self) -> Batch | None:
        await self._room.turns.acquire()
        self._has_turn = True
        return self.intake.take()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._room.turns.release()

    async def _settle(self, batch: Batch) -> None:
        # After all of the batch was fetched, and before anything of it is written: what a producer
        # that knows of added partitions has sent is here only if the brokers tell of them, too.
        if not await self._patiently("what topic it is", self._is_unchanged):
            raise TopicChangedError
        await self._patiently("dead letters", lambda: self._dead_letters.bury(batch.dead))
        singles = await self._drop_taken(batch, batch.singles)
        await self._insert(batch, [*batch.chunks, *singles])
        while copies := self.intake.copies(batch):
            await self._insert(batch, await self._drop_taken(batch, copies))
        self.intake.settled()
        poison = self.intake.poison
        if poison and batch.next_offset > poison.last_offset:
            # Before the commit: after a crash in between it still stands there.
            await self._record(poison)
        else:
            poison = None
        self._end_turn()
        self.settled = batch.next_offset
        await self._renew_lease()
        self._stats.settled(self._source, batch)
        if poison:
            raise PoisonError(poison)

    async def _record(self, poison: PoisonRun) -> None:
        stop = PoisonStop(poison)
        await self._patiently("where it stops", lambda: self._dead_letters.stops.write(stop))

    async def _drop_taken(self, batch: Batch, singles: list[Row]) -> list[Row]:
        """Everything settled before is in the table, so now it can answer for the old ids."""
        asking = [row for row in singles if row.ask]
        if not asking:
            return singles
        taken = await self._patiently("old ids", lambda: self._store.taken(asking))
        rows = [row for row in singles if not (row.ask and row.id in taken)]
        dropped = len(singles) - len(rows)
        batch.duplicates += dropped
        batch.count -= dropped
        return rows

    async def _insert(self, batch: Batch, rows: Sequence[Row | Chunk]) -> None:
        """Every row is in the table or buried when this returns. Raises PartitionLostError."""
        pause = 0.1
        while rows:
            lease = await self._valid_lease()
            try:
                await self._store.insert(self._source, batch.base_offset, lease.until_ms, rows)
            except InsertError as error:
                self._end_turn()  # what is in trouble goes on without: the others need not wait
                self._in_doubt = error.refusal is Refusal.LOST
                if error.refusal is not Refusal.DATA:
                    self._stats.failed(self._source, "insert not confirmed, asking", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                rows = await self._patiently(
                    "what is there", functools.partial(self._missing, batch, rows, lease)
                )
                self._in_doubt = False
                if error.refusal is Refusal.DATA and rows:
                    await self._find_culprit(batch, rows, str(error))
                    return
            else:
                self.intake.written()
                break
        self._stats.recovered(self._source)

    async def _missing(
        self, batch: Batch, rows: Sequence[Row | Chunk], lease: Lease
    ) -> list[Row | Chunk]:
        if self._in_doubt:
            await self._store.wait_until_quiet(self._source, lease.until_ms)
        present = await self._store.present(self._source, batch.base_offset, batch.next_offset)
        return without(rows, present)

    async def _find_culprit(self, batch: Batch, rows: Sequence[Row | Chunk], why: str) -> None:
        """Halve until the row is alone that the engine does not take; the others go in."""
        if len(rows) == 1 and isinstance(row := rows[0], Row):
            letter = DeadLetter(self._source, row, Reason.REFUSED_BY_CLICKHOUSE, why)
            batch.dead.append(letter)
            batch.count -= 1
            await self._patiently("dead letters", lambda: self._dead_letters.bury([letter]))
            if poison := self.intake.refused(row, f"{letter.reason.value}: {why}"):
                # The batch is not settled: what is in the table of it is found there again.
                await self._record(poison)
                raise PoisonError(poison)
            return
        for half in halves(rows):
            await self._insert(batch, half)

    async def _valid_lease(self) -> Lease:
        """A lease with at least three quarters of its time left: a large batch takes some of it."""
        if self._lease.until_ms - self._clock.now_ms() < self._settings.session_timeout_s * 750:
            await self._renew_lease()
        return self._lease

    async def _renew_lease(self) -> None:
        """Commit what is settled; the new lease counts only once that has succeeded."""
        if self._clock.age() > _CLOCK_MAX_AGE_SECONDS:
            self._clock.learn(await self._patiently("the clock", self._store.now_ms))
        lease = Lease(self._clock.now_ms() + int(self._settings.session_timeout_s * 1000))
        await self._commits.commit(self._source, self.settled, lease)
        self._lease = lease

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again until it works: the partition stands still meanwhile, and nothing is lost."""
        pause = 0.1
        while True:
            try:
                answer = await attempt()
                self._stats.recovered(self._source)
                return answer
            except PartitionLostError:
                raise
            except (ClickHouseError, KafkaError) as error:
                self._stats.failed(self._source, f"{what}: trying again", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
