"""One partition's records on their way into batches. No I/O; the time is handed in."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activity_consume.batching.batch import Batch, DeadLetter, Source
from activity_consume.batching.dedup import IdWindow
from activity_consume.batching.rows import Chunk, Record, Row
from activity_consume.settings import ConsumerSettings
from activity_consume.validation.bulk import plain
from activity_consume.validation.validate import Accepted, FastEvent, Rejected, judge
from activity_kafka.headers import RESENT_HEADER


class PoisonError(Exception):
    """Too many messages in a row that are no events; the text says what to do."""


class Intake:
    """Takes records in the order of their offsets, gives batches in that order.

    `present`: offsets at or after `next_offset` whose rows are in the table already.
    """

    def __init__(
        self,
        source: Source,
        next_offset: int,
        present: set[int],
        ids: IdWindow,
        settings: ConsumerSettings,
    ) -> None:
        self.source = source
        self.next_offset = next_offset
        self._present = present
        self._ids = ids
        self._settings = settings
        self._future_limit = timedelta(seconds=settings.future_limit_s)
        self._open: Batch | None = None
        self._opened_at = 0.0
        self._max_age_s = settings.batch_max_age_s
        self._poison_run = 0
        #: Set when there is something to take.
        self.filled = asyncio.Event()

    @property
    def size(self) -> int:
        """Bytes waiting."""
        return self._open.size if self._open else 0

    def add(self, records: Sequence[Record], now: float) -> int:
        """Judge records and keep them; the bytes added. `now`: Unix seconds.

        Raises PoisonError; the records up to there are kept, but should not be written.
        """
        latest = datetime.fromtimestamp(now, UTC) + self._future_limit
        if self._open is None:
            self._open = Batch(self.next_offset, self.next_offset)
            self._opened_at = now
        before = self._open.size
        for first in range(0, len(records), _AT_ONCE):
            some = records[first : first + _AT_ONCE]
            # While some offsets are in the table already, each is looked at.
            judged = None if self._present else plain(some, latest)
            if judged is not None:
                self._add_plain(self._open, some, *judged)
            else:
                self._add_each(self._open, some, latest)
        if self._open.next_offset > self._open.base_offset:
            self.filled.set()
        return self._open.size - before

    def behind_by(self, messages: int) -> None:
        """So many more are there to be taken. A batch of what is late anyway need not hurry: while
        they would fill it, it waits for them."""
        late = messages >= self._settings.batch_max_rows
        self._max_age_s = self._settings.batch_max_age_s * (_PATIENCE_BEHIND if late else 1)

    def is_due(self, now: float) -> bool:
        """The open batch is full or old enough."""
        batch = self._open
        return batch is not None and (
            batch.count >= self._settings.batch_max_rows
            or batch.size >= self._settings.batch_max_bytes
            or now - self._opened_at >= self._max_age_s
        )

    def due_in(self, now: float) -> float:
        """Seconds until the open batch is old enough."""
        return max(0.0, self._opened_at + self._max_age_s - now)

    def take(self) -> Batch | None:
        """The open batch, if it holds anything; the next one opens where it ends."""
        batch, self._open = self._open, None
        self.filled.clear()
        self._ids.trim()
        return batch if batch and batch.next_offset > batch.base_offset else None

    def refused(self, row: Row) -> None:
        """The engine has not taken this row: the same event, when replayed, is no duplicate."""
        self._ids.forget(row.id)

    def _add_plain(
        self, batch: Batch, records: Sequence[Record], chunk: Chunk, events: Sequence[FastEvent]
    ) -> None:
        self.next_offset = batch.next_offset = chunk.offsets[-1] + 1
        self._poison_run = 0
        new = [self._ids.take(event.id) for event in events]
        if not all(new):
            skipped = frozenset(place for place, fresh in enumerate(new) if not fresh)
            chunk = replace(chunk, skipped=skipped)
            for place in sorted(skipped):
                record = records[place]
                self._add_odd(batch, record, record.value or b"", events[place], new[place])
        if len(chunk):
            batch.chunks.append(chunk)
            batch.count += len(chunk)
            batch.size += len(chunk.packed) + len(chunk) * _CHUNK_OVERHEAD

    def _add_each(self, batch: Batch, records: Iterable[Record], latest: datetime) -> None:
        for record in records:
            offset = record.offset
            self.next_offset = batch.next_offset = offset + 1
            if self._present and offset in self._present:
                self._present.discard(offset)
                continue
            verdict = judge(record.key, record.value, record.headers, latest)
            if isinstance(verdict, Rejected):
                self._bury(batch, record, verdict)
                continue
            self._poison_run = 0
            self._add_odd(batch, record, verdict.value, verdict, self._ids.take(verdict.id))

    def _add_odd(
        self,
        batch: Batch,
        record: Record,
        json: bytes,
        event: FastEvent | Accepted,
        new: bool | None,
    ) -> None:
        """`new`: what the window of ids says."""
        id_ = event.id
        if new is False or (new is None and id_ in batch.asking):
            batch.duplicates += 1
            return
        if new is None:
            batch.asking.add(id_)
        resent = any(name == RESENT_HEADER for name, _ in record.headers)
        ask = None
        if new is None or resent:
            ask = Accepted(id_, event.org_id, event.timestamp, json)
        parts = record.offset, record.timestamp, record.key, record.value, record.headers
        batch.singles.append(Row(*parts, id_, json, ask))
        batch.count += 1
        batch.size += len(json) + _ROW_OVERHEAD

    def _bury(self, batch: Batch, record: Record, why: Rejected) -> None:
        reason, detail = why.reason, why.detail
        self._poison_run += 1
        batch.dead.append(DeadLetter(self.source, record, reason, detail))
        batch.size += len(record.value or b"") + _ROW_OVERHEAD
        if self._poison_run >= self._settings.poison_limit:
            raise PoisonError(
                f"{self.source}: {self._poison_run} messages in a row are no events, the last at"
                f" offset {record.offset} ({reason.value}: {detail}). Nothing more is read. Mend"
                " the producer, or raise ACTIVITY_CONSUMER_POISON_LIMIT to send them to the dead"
                " letters, and start the consumer again"
            )


# Of `batch_max_age_s`: longer than a full batch takes to come, so that it does.
_PATIENCE_BEHIND = 10
# Judged together: so many that a call more is nothing, so few that one poisonous message does
# not cost many good ones the slower way.
_AT_ONCE = 250
# What an event costs in memory beside its value, roughly: in a chunk, its id in the window and its
# numbers; else also itself, and the message it came in.
_CHUNK_OVERHEAD = 200
_ROW_OVERHEAD = 1000
