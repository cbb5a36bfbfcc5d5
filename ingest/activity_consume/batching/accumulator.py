"""One partition's records on their way into batches. No I/O; the time is handed in."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activity_consume.batching.batch import Batch
from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.memory_budget import size_around, size_of_packed
from activity_consume.batching.poison import PoisonCount
from activity_consume.batching.rows import PackedRows, Row, is_resent
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.poison_stops import PoisonRun
from activity_consume.erasure.rules import NONE, Rules
from activity_consume.record import Record, TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.validation.bulk import validate_many
from activity_consume.validation.validate import (
    FastEvent,
    InvalidMessage,
    Reason,
    ValidEvent,
    validate,
)
from activity_schemas.uuid7 import uuid7


class BatchAccumulator:
    """Takes records in the order of their offsets, gives batches in that order.

    `existing`: offsets at or after `next_offset` whose rows are in the table already.
    """

    def __init__(
        self,
        partition: TopicPartition,
        next_offset: int,
        existing: set[int],
        ids: DedupWindow,
        settings: ConsumerSettings,
        *,
        accepted_offset: int = -1,
        written_base: int = -1,
        erasures: Callable[[], Rules] = lambda: NONE,
    ) -> None:
        """`accepted_offset`: the operator knows of all poison up to and with this one.
        `written_base`: see Lease.written. `erasures`: what is to be kept out, as known now."""
        self.partition = partition
        self.next_offset = next_offset
        self.written_base = written_base
        self._erasures = erasures
        self._existing = existing
        self._ids = ids
        self._settings = settings
        self._open: Batch | None = None
        self._max_age_s, self._is_first = settings.batch_max_age_s, True
        self._validated = PoisonCount(partition, settings.poison_limit, accepted_offset)
        #: The same with what the engine has refused; known when a batch is written.
        self._written = PoisonCount(partition, settings.poison_limit, accepted_offset)
        self._refused: set[str] = set()
        #: What was validated last is the end of this; nothing more is taken.
        self.poison: PoisonRun | None = None
        #: Set when there is something to take.
        self.filled = asyncio.Event()

    @property
    def size(self) -> int:
        """Bytes waiting."""
        return self._open.size if self._open else 0

    def add(self, records: Sequence[Record], now: float) -> int:
        """Validate records and keep them; the bytes added. `now`: Unix seconds.

        Once there is too much poison, `poison` is set, and what comes after it is not kept.
        """
        latest = datetime.fromtimestamp(now, UTC) + timedelta(seconds=self._settings.future_limit_s)
        rules = self._erasures()
        if self._open is None:
            # What comes first has waited for the partition's owner already: as long as it has to.
            late = now - records[0].timestamp / 1000 if self._is_first and records else 0.0
            self._open = self._new_batch(now - min(max(0.0, late), self._max_age_s))
        elif self._open.checked is not rules:
            self._open.checked = None  # the list has changed meanwhile
        before = self._open.size
        for first in range(0, len(records), _AT_ONCE):
            if self.poison:
                break
            some = records[first : first + _AT_ONCE]
            # While some offsets are in the table already, each is looked at.
            headers = [one.headers for one in some]
            headers = headers if any(headers) else []
            plain = not self._existing and not any(map(is_resent, headers))
            found = validate_many([one.value for one in some], latest) if plain else None
            if found is not None and not rules.may_cover(found[0]):
                events, lines = found
                packed = PackedRows.of(some, headers, lines)
                self._add_many(self._open, some, packed, events)
            else:
                self._add_each(self._open, some, latest, rules)
        if self._open.next_offset > self._open.base_offset:
            self.filled.set()
        return self._open.size - before

    def pass_over(self, offset: int, now: float) -> None:
        """There is no record before this offset any more: markers of transactions, aborted records
        and what compaction has removed have offsets, too. `now`: Unix seconds."""
        if offset <= self.next_offset or self.poison:
            return  # after poison there are records that were not taken
        if self._open is None:
            self._open = self._new_batch(now)
        self.next_offset = self._open.next_offset = offset
        self.filled.set()

    def skip(self, letters: Sequence[DeadLetter], end: int, now: float) -> None:
        """Go on at `end`, as an operator has said; what is left out are these letters."""
        self.pass_over(end, now)
        if self._open is not None:
            self._open.dead += [one for one in letters if one.record.offset not in self._existing]
        self._existing = {offset for offset in self._existing if offset >= end}

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
            or now - batch.opened_at >= self._max_age_s
        )

    def due_in(self, now: float) -> float:
        """Seconds until the open batch is old enough."""
        return max(0.0, self._open.opened_at + self._max_age_s - now) if self._open else 0.0

    def take(self) -> Batch | None:
        """The open batch, if it holds anything; the next one opens where it ends."""
        batch, self._open, self._is_first = self._open, None, False
        self.filled.clear()
        if batch is None or batch.next_offset == batch.base_offset:
            return None
        self._ids.next_batch()
        return batch

    def remember(self, ids: int) -> None:
        """So many, from the next batch on."""
        self._ids.limit = ids

    def lookup_born_before(self, ms: int) -> None:
        """Ids born before this (Unix milliseconds) are asked in the table from now on."""
        self._ids.lookup_before(str(uuid7(ms)))

    def refused(self, batch: Batch, row: Row, why: str) -> list[DeadLetter]:
        """The engine has not taken this row of the batch taken last: it is a dead letter, and so
        are its copies of the same bytes."""
        self._refused.add(row.id)
        copies = batch.copies.get(row.id, [])
        same = [copy for copy in copies if copy.json == row.json]
        if same:
            batch.copies[row.id] = [copy for copy in copies if copy.json != row.json]
        batch.count -= 1
        batch.duplicates -= len(same)
        reason = Reason.REFUSED_BY_CLICKHOUSE
        letters = [DeadLetter(self.partition, one, reason, why) for one in (row, *same)]
        batch.dead += letters
        return letters

    def written(self, batch: Batch) -> PoisonRun | None:
        """All of the batch taken last is in the table or a dead letter. The run, if too many in a
        row are dead letters, whether they were refused here or by the engine."""
        if batch.dead:
            return self._written.batch(batch.events(), batch.dead)
        if batch.count or batch.known:
            self._written.good()
        return None

    def copies(self, batch: Batch) -> list[Row]:
        """To be written in place of what was refused of this batch: its other copies, one of each.

        Where there is none, the id is free again: for a copy in the batch that is open, or later.
        """
        found: list[Row] = []
        for id_ in sorted(self._refused):
            if copies := batch.copies.get(id_):
                found.append(batch.revive(copies))
            # Not of an old id: the open batch's first copy of it asks the table by itself.
            elif self._ids.forget(id_) and self._open and (later := self._open.copies.get(id_)):
                self._ids.take(id_)
                self._ids.note((id_,))
                self._open.singles.append(self._open.revive(later))
        self._refused.clear()
        return found

    def settled(self) -> None:
        """The batch taken last is in the table and the dead letters: its ids are taken."""
        self._ids.settled()

    def _new_batch(self, now: float) -> Batch:
        return Batch(self.next_offset, self.next_offset, now, checked=self._erasures())

    def _add_many(
        self, batch: Batch, records: Sequence[Record], rows: PackedRows, events: Sequence[FastEvent]
    ) -> None:
        self.next_offset = batch.next_offset = rows.offsets[-1] + 1
        self._validated.good()
        ids = [event.id for event in events]
        if self._ids.take_new(ids) or all(new := [*map(self._ids.take, ids)]):
            self._ids.note(ids)
        else:
            self._ids.note([id_ for id_, fresh in zip(ids, new, strict=True) if fresh])
            skipped = frozenset(place for place, fresh in enumerate(new) if not fresh)
            rows = replace(rows, skipped=skipped)
            for place in sorted(skipped):
                record = records[place]
                self._add_odd(batch, record, record.value or b"", events[place], new[place])
        if len(rows):
            batch.packed.append(rows)
            batch.count += len(rows)
            batch.size += size_of_packed(rows)

    def _add_each(
        self, batch: Batch, records: Iterable[Record], latest: datetime, rules: Rules
    ) -> None:
        for record in records:
            offset = record.offset
            self.next_offset = batch.next_offset = offset + 1
            if self._existing and offset in self._existing:
                self._existing.discard(offset)
                self._validated.good()
                batch.pass_known(offset)
                continue
            verdict = validate(record.value, latest)
            if isinstance(verdict, InvalidMessage):
                known = rules.why_of_message(record.key, record.value, record.timestamp)
                if known:
                    batch.kept_out.append(known)
                    continue
                self._dead_letter(batch, record, verdict)
                if self.poison:
                    return
                continue
            self._validated.good()
            if known := rules.why_of_event(verdict.org_id, verdict.timestamp, verdict.value):
                batch.kept_out.append(known)
                batch.pass_known(offset)
                continue
            new = self._ids.take(verdict.id)
            self._add_odd(batch, record, verdict.value, verdict, new)
            if new:
                self._ids.note((verdict.id,))

    def _add_odd(
        self,
        batch: Batch,
        record: Record,
        json: bytes,
        event: FastEvent | ValidEvent,
        new: bool | None,
    ) -> None:
        """`new`: what the window of ids says."""
        id_ = event.id
        if new is False and self._ids.is_settled(id_):
            batch.duplicates += 1
            batch.pass_known(record.offset)
            return
        lookup = None
        if new is None or is_resent(record.headers):
            lookup = ValidEvent(id_, event.org_id, event.timestamp, json)
        parts = record.offset, record.timestamp, record.key, record.value, record.headers
        row = Row(*parts, id_, json, lookup)
        batch.size += len(json) + size_around(record)
        if new is False or (new is None and id_ in batch.needs_lookup):
            # The first copy may still be refused.
            batch.copies.setdefault(id_, []).append(row)
            batch.duplicates += 1
            batch.pass_known(record.offset)
            return
        if new is None:
            batch.needs_lookup.add(id_)
        batch.singles.append(row)
        batch.count += 1

    def _dead_letter(self, batch: Batch, record: Record, why: InvalidMessage) -> None:
        letter = DeadLetter(self.partition, record, why.reason, why.detail)
        batch.dead.append(letter)
        batch.size += len(record.value or b"") + size_around(record)
        self.poison = self._validated.bad(record.offset, letter.why)


# Of `batch_max_age_s`: longer than a full batch takes to come, so that it does.
_PATIENCE_BEHIND = 10
# Validated together: so many that a call more is nothing, so few that one poisonous message does
# not cost many good ones the slower way.
_AT_ONCE = 250
