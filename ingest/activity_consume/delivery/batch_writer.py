"""The rows of one batch: each is in the table, or it is a dead letter and the table's words why."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.batch import Batch
from activity_consume.batching.rows import (
    PackedRows,
    Row,
    halves,
    one_by_one,
    traceparents,
    without,
)
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.erasure_gate import ErasureGate
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.lease_keeper import LeaseKeeper
from activity_consume.delivery.patience import LONGEST_PAUSE_S, Patience
from activity_consume.errors import InsertError, InsertFailure, StopError
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.retry import FIRST_PAUSE_S
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_telemetry.traces import traces

# Of the rows that the engine left out, so many are tried alone: for its words, and to be sure.
_ALONE = 10
# Rows of one batch that are found by halving; each takes some ten inserts.
_MOST_HALVED = 100


class BatchWriter:
    """Used by one PartitionWriter: so one insert of the partition is on the way at a time."""

    def __init__(
        self,
        accumulator: BatchAccumulator,
        sink: ClickHouseSink,
        dead_letters: DeadLetterWriter,
        lease: LeaseKeeper,
        patience: Patience,
        *,
        gate: ErasureGate,
        stats: Stats,
        in_trouble: Callable[[], None],
    ) -> None:
        """`in_trouble`: called when an insert was not confirmed, before it is looked into."""
        self._accumulator = accumulator
        self._partition = accumulator.partition
        self._sink = sink
        self._dead_letters = dead_letters
        self._lease = lease
        self._patience = patience
        self._gate = gate
        self._stats = stats
        self._in_trouble = in_trouble
        self._pause_s = FIRST_PAUSE_S
        #: Rows of this batch that were found by halving; None: there was no need yet.
        self._halved: int | None = None
        #: An insert may still be on the way, so the lease must not be released.
        self.in_doubt = False

    async def write(self, batch: Batch) -> None:
        """Returns when each of its rows is in the table or a dead letter, which may take as long
        as ClickHouse is away. Raises PartitionLostError; StopError where the engine refuses many
        rows for another reason than that it cannot parse them."""
        self._pause_s = FIRST_PAUSE_S
        self._halved = None
        singles = await self._drop_existing(batch, batch.singles)
        await self._insert(batch, [*batch.packed, *singles])
        while copies := self._accumulator.copies(batch):
            await self._insert(batch, await self._drop_existing(batch, copies))

    async def _drop_existing(self, batch: Batch, singles: list[Row]) -> list[Row]:
        """Everything settled before is in the table, so now it can answer for the old ids."""
        asked = [row for row in singles if row.lookup]
        if not asked:
            return singles
        existing = await self._patience.wait_for("old ids", lambda: self._sink.existing_ids(asked))
        rows = [row for row in singles if not (row.lookup and row.id in existing)]
        dropped = len(singles) - len(rows)
        batch.duplicates += dropped
        batch.count -= dropped
        return rows

    async def _insert(self, batch: Batch, rows: Sequence[Row | PackedRows]) -> None:
        while rows:
            lease = await self._lease.valid()
            if not (rows := await self._gate.passing(batch, rows)):
                break
            try:
                await self._timed(self._sink.insert, batch, lease, rows)
                break
            except InsertError as error:
                rows = await self._not_confirmed(batch, rows, lease, error)
                if error.failure is InsertFailure.REJECTED and rows:
                    await self._sort_out(batch, rows, str(error))
                    return
        self._stats.recovered(self._partition)

    async def _timed(
        self,
        insert: Callable[[TopicPartition, int, int, Sequence[Row | PackedRows]], Awaitable[None]],
        batch: Batch,
        lease: Lease,
        rows: Sequence[Row | PackedRows],
    ) -> None:
        """One insert, whose time is told. Raises InsertError."""
        began, failure = time.monotonic(), None
        facts: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._partition.topic,
            "messaging.destination.partition.id": str(self._partition.partition),
            "messaging.batch.message_count": sum(map(_count, rows)) if traces.is_on else 0,
        }
        parents = traceparents(rows) if traces.is_on else ()
        try:
            with traces.of_batch("insert", parents, facts):
                await insert(self._partition, batch.base_offset, lease.until_ms, rows)
        except InsertError as error:
            failure = error.failure
            raise
        finally:
            self._stats.inserted(time.monotonic() - began, failure)

    async def _not_confirmed(
        self, batch: Batch, rows: Sequence[Row | PackedRows], lease: Lease, error: InsertError
    ) -> list[Row | PackedRows]:
        """Those that are not in the table, once no insert of them is on the way any more."""
        self._in_trouble()
        self.in_doubt = error.failure is InsertFailure.UNKNOWN
        if error.failure is InsertFailure.REJECTED:
            self._stats.retried(error)
        else:
            self._stats.failed(self._partition, "insert not confirmed, asking what is there", error)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        missing = await self._missing(batch, rows, lease)
        self.in_doubt = False
        return missing

    async def _missing(
        self, batch: Batch, rows: Sequence[Row | PackedRows], lease: Lease
    ) -> list[Row | PackedRows]:
        return await self._patience.wait_for(
            "what is there", functools.partial(self._ask_missing, batch, rows, lease)
        )

    async def _ask_missing(
        self, batch: Batch, rows: Sequence[Row | PackedRows], lease: Lease
    ) -> list[Row | PackedRows]:
        if self.in_doubt:
            await self._sink.wait_for_inflight_inserts(self._partition, lease.until_ms)
        existing = await self._sink.existing_offsets(
            self._partition, batch.base_offset, batch.next_offset
        )
        return without(rows, existing)

    async def _sort_out(self, batch: Batch, rows: Sequence[Row | PackedRows], why: str) -> None:
        """The engine takes these, but for some of them, if there are several: find those by a few
        inserts, however many they are."""
        if len(rows) == 1 and isinstance(row := rows[0], Row):
            await self._reject(batch, [row], await self._words(row, why))
            return
        if self._halved is not None:
            await self._halve(batch, rows)
            return
        lease = await self._lease.valid()
        if not (rows := await self._gate.passing(batch, rows)):
            return
        try:
            await self._timed(self._sink.insert_parsable, batch, lease, rows)
        except InsertError as error:
            missing = await self._not_confirmed(batch, rows, lease, error)
            if error.failure is InsertFailure.REJECTED:
                await self._halve(batch, missing)
            else:
                await self._insert(batch, missing)
            return
        left_out = one_by_one(await self._missing(batch, rows, lease))
        alone, others = left_out[:_ALONE], left_out[_ALONE:]
        before = len(batch.dead)
        for row in alone:
            await self._insert(batch, [row])
        refused = batch.dead[before:]
        if others and {*_offsets(alone)} <= {letter.record.offset for letter in refused}:
            first = refused[0]
            await self._reject(
                batch, others, f"{first.detail} (of offset {first.record.offset}, refused with it)"
            )
        elif others:  # the engine has changed its mind: it may take these, too
            await self._insert(batch, others)

    async def _halve(self, batch: Batch, rows: Sequence[Row | PackedRows]) -> None:
        """What it refuses is no matter of parsing: a row is found when it is alone."""
        self._halved = self._halved or 0
        if self._halved >= _MOST_HALVED:
            raise StopError(
                f"{self._partition}: the table refuses more than {_MOST_HALVED} events of offsets"
                f" {batch.base_offset} to {batch.next_offset - 1} (the last:"
                f" {batch.dead[-1].detail}). They are in the dead letters, and nothing after them"
                " is read. Mend the table events, or what is attached to it, and start the consumer"
                " again"
            )
        for half in halves(rows) if rows else ():
            before = len(batch.dead)
            await self._insert(batch, half)
            self._halved += len(half) == 1 and len(batch.dead) > before

    async def _words(self, row: Row, why: str) -> str:
        """The engine's, behind what they are about: of a cast it does not name the column."""
        about = await self._sink.refusing(row)
        return f"{about}: {why}" if about else why

    async def _reject(self, batch: Batch, rows: Sequence[Row], why: str) -> None:
        letters: list[DeadLetter] = []
        for row in rows:
            letters += self._accumulator.refused(batch, row, why)
        await self._patience.wait_for("dead letters", lambda: self._dead_letters.write(letters))


def _count(row: Row | PackedRows) -> int:
    return len(row) if isinstance(row, PackedRows) else 1


def _offsets(rows: Sequence[Row]) -> list[int]:
    return [row.offset for row in rows]
