"""One partition's records on their way into batches. No I/O; the time is handed in."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activity_consume.batching.batch import Batch, DeadLetter, Source
from activity_consume.batching.dedup import IdWindow
from activity_consume.batching.poison import PoisonCount, PoisonRun
from activity_consume.batching.rows import Chunk, Headers, Record, Row
from activity_consume.settings import ConsumerSettings
from activity_consume.validation.bulk import plain
from activity_consume.validation.validate import Accepted, FastEvent, Rejected, judge
from activity_kafka.headers import RESENT_HEADER
from activity_schemas.uuid7 import uuid7


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
        *,
        accepted_offset: int = -1,
    ) -> None:
        """`accepted_offset`: up to and with this one an operator knows of the poison."""
        self.source = source
        self.next_offset = next_offset
        self._present = present
        self._ids = ids
        self._settings = settings
        self._future_limit = timedelta(seconds=settings.future_limit_s)
        self._open: Batch | None = None
        self._opened_at = 0.0
        self._max_age_s = settings.batch_max_age_s
        self._judged = PoisonCount(source, settings.poison_limit, accepted_offset)
        self._written = PoisonCount(source, settings.poison_limit, accepted_offset)
        self._refused: set[str] = set()
        #: What was judged last is the end of this; nothing more is taken.
        self.poison: PoisonRun | None = None
        #: Set when there is something to take.
        self.filled = asyncio.Event()

    @property
    def size(self) -> int:
        """Bytes waiting."""
        return self._open.size if self._open else 0

    def add(self, records: Sequence[Record], now: float) -> int:
        """Judge records and keep them; the bytes added. `now`: Unix seconds.

        Once there is too much poison, `poison` is set, and what comes after it is not kept.
        """
        latest = datetime.fromtimestamp(now, UTC) + self._future_limit
        if self._open is None:
            self._open = Batch(self.next_offset, self.next_offset)
            self._opened_at = now
        before = self._open.size
        for first in range(0, len(records), _AT_ONCE):
            if self.poison:
                break
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

    def pass_over(self, offset: int, now: float) -> None:
        """There is no record before this offset any more: markers of transactions, aborted records
        and what compaction has removed have offsets, too. `now`: Unix seconds."""
        if offset <= self.next_offset or self.poison:
            return  # after poison there are records that were not taken
        if self._open is None:
            self._open = Batch(self.next_offset, self.next_offset)
            self._opened_at = now
        self.next_offset = self._open.next_offset = offset
        self.filled.set()

    def skip(self, letters: Sequence[DeadLetter], end: int, now: float) -> None:
        """Go on at `end`, as an operator has said; what is left out are these letters."""
        self.pass_over(end, now)
        if self._open is not None:
            here = self._present
            self._open.dead += [one for one in letters if one.record.offset not in here]
        self._present = {offset for offset in self._present if offset >= end}

    def behind_by(self, messages: int) -> None:
        """So many more are there to be taken. A batch of what is late anyway need not hurry: while
        they would fill it, it waits for them."""
        late = messages >= self._settings.batch_max_rows
        self._max_age_s = self._settings.batch_max_age_s * (_PATIENCE_BEHIND if late else 1)

    def is_due(self, now: float) -> bool:
        """The open batch is full or old enough."""
        batch = self._open
        return batch is not None and (
            self.poison is not None
            or batch.count >= self._settings.batch_max_rows
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
        if batch is None or batch.next_offset == batch.base_offset:
            return None
        self._ids.next_batch()
        return batch

    def ask_born_before(self, ms: int) -> None:
        """Ids born before this (Unix milliseconds) are asked in the table from now on."""
        self._ids.ask_before(str(uuid7(ms)))

    def written(self) -> None:
        """Some rows of the batch taken last are in the table."""
        self._written.good()

    def refused(self, row: Row, why: str) -> PoisonRun | None:
        """The engine has not taken this row. The run, if too many in a row were refused."""
        self._refused.add(row.id)
        return self._written.bad(row.offset, why)

    def copies(self, batch: Batch) -> list[Row]:
        """To be written in place of what was refused of this batch: its other copies, one of each.

        Where there is none, the id is free again: for a copy in the batch that is open, or later.
        """
        found: list[Row] = []
        for id_ in sorted(self._refused):
            if copies := batch.copies.get(id_):
                found.append(_revive(batch, copies))
            # Not of an old id: the open batch's first copy of it asks the table by itself.
            elif self._ids.forget(id_) and self._open and (later := self._open.copies.get(id_)):
                self._ids.take(id_)
                self._ids.note((id_,))
                self._open.singles.append(_revive(self._open, later))
        self._refused.clear()
        return found

    def settled(self) -> None:
        """The batch taken last is in the table and the dead letters: its ids are taken."""
        self._ids.settled()

    def _add_plain(
        self, batch: Batch, records: Sequence[Record], chunk: Chunk, events: Sequence[FastEvent]
    ) -> None:
        self.next_offset = batch.next_offset = chunk.offsets[-1] + 1
        self._judged.good()
        ids = [event.id for event in events]
        new = [*map(self._ids.take, ids)]
        if all(new):
            self._ids.note(ids)
        else:
            self._ids.note([id_ for id_, fresh in zip(ids, new, strict=True) if fresh])
            skipped = frozenset(place for place, fresh in enumerate(new) if not fresh)
            chunk = replace(chunk, skipped=skipped)
            for place in sorted(skipped):
                record = records[place]
                self._add_odd(batch, record, record.value or b"", events[place], new[place])
        if len(chunk):
            batch.chunks.append(chunk)
            batch.count += len(chunk)
            batch.size += len(chunk.packed) + len(chunk) * _CHUNK_OVERHEAD
            # Nearly always: a few short ones, and no headers.
            batch.size += sum(map(len, filter(None, {*chunk.keys})))
            batch.size += sum(map(_size, filter(None, chunk.headers)))

    def _add_each(self, batch: Batch, records: Iterable[Record], latest: datetime) -> None:
        for record in records:
            offset = record.offset
            self.next_offset = batch.next_offset = offset + 1
            if self._present and offset in self._present:
                self._present.discard(offset)
                self._judged.good()
                continue
            verdict = judge(record.value, latest)
            if isinstance(verdict, Rejected):
                self._bury(batch, record, verdict)
                if self.poison:
                    return
                continue
            self._judged.good()
            new = self._ids.take(verdict.id)
            self._add_odd(batch, record, verdict.value, verdict, new)
            if new:
                self._ids.note((verdict.id,))

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
        if new is False and self._ids.is_settled(id_):
            batch.duplicates += 1
            return
        resent = any(name == RESENT_HEADER for name, _ in record.headers)
        ask = None
        if new is None or resent:
            ask = Accepted(id_, event.org_id, event.timestamp, json)
        parts = record.offset, record.timestamp, record.key, record.value, record.headers
        row = Row(*parts, id_, json, ask)
        batch.size += len(json) + _around(record)
        if new is False or (new is None and id_ in batch.asking):
            # The first copy may still be refused.
            batch.copies.setdefault(id_, []).append(row)
            batch.duplicates += 1
            return
        if new is None:
            batch.asking.add(id_)
        batch.singles.append(row)
        batch.count += 1

    def _bury(self, batch: Batch, record: Record, why: Rejected) -> None:
        batch.dead.append(DeadLetter(self.source, record, why.reason, why.detail))
        batch.size += len(record.value or b"") + _around(record)
        self.poison = self._judged.bad(record.offset, f"{why.reason.value}: {why.detail}")


def _revive(batch: Batch, copies: list[Row]) -> Row:
    """The first copy of an event, which counted as a duplicate."""
    batch.count += 1
    batch.duplicates -= 1
    return copies.pop(0)


def _around(record: Record) -> int:
    """What a record costs in memory beside its value."""
    return _ROW_OVERHEAD + len(record.key or b"") + _size(record.headers)


def _size(headers: Headers) -> int:
    return sum(len(name) + len(content or b"") + _HEADER_OVERHEAD for name, content in headers)


# Of `batch_max_age_s`: longer than a full batch takes to come, so that it does.
_PATIENCE_BEHIND = 10
# Judged together: so many that a call more is nothing, so few that one poisonous message does
# not cost many good ones the slower way.
_AT_ONCE = 250
# What an event costs in memory beside its value, roughly: in a chunk, its id in the window and its
# numbers; else also itself, and the message it came in.
_CHUNK_OVERHEAD = 200
_HEADER_OVERHEAD = 150
_ROW_OVERHEAD = 1000
