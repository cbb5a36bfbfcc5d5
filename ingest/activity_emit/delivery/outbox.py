"""What waits for Kafka: the spool's rows, and a bounded window of them in memory."""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from activity_emit.event.encode import ProducerRecord
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_spool.spool import Row, Spool, SpoolError, orphans

WINDOW = 2_000  # events read ahead of the sender where a spool holds the rest
_ROWS = 20


@dataclass(slots=True)
class Batch:
    """Records that were stored together, so many bytes. `resent`: Kafka may have them already."""

    records: list[ProducerRecord]
    size: int
    resent: bool = False
    spool: Spool | None = None
    row: Row | None = None


class Outbox:
    """Used from the publisher's thread only. What no disk holds is bounded by `memory`: events, and
    bytes; what is read ahead by the same bytes."""

    def __init__(
        self,
        spool: Spool | None,
        memory: tuple[int, int],
        metrics: PublisherMetrics,
        log: RateLimitedLogger,
    ) -> None:
        self._own = spool
        self._adopted: list[Spool] = []
        self._memory, self._memory_bytes = memory
        self._metrics = metrics
        self._log = log
        self._window: deque[Batch] = deque()
        self._events = self._bytes = 0
        self._read: dict[Path, int] = {}
        self._disk_works = spool is not None

    def has_room(self) -> bool:
        """False: let the queue fill up, there is nowhere to put more."""
        return self._disk_works or self._fits(self._memory)

    def add(self, records: list[ProducerRecord]) -> int:
        """Store one flush. How many of it are stored, the oldest ones: fewer at the spool's cap."""
        lines = b"\n".join(record.value for record in records)
        if self._own is None:
            self._append(Batch(records, len(lines)))
            return len(records)
        try:
            number = self._own.append(lines, len(records))
        except SpoolError as error:
            self._disk_works = False
            self._metrics.spool_errors += 1
            self._log.warn("spool", "activity spool failed, events wait in memory: %s", error)
            if not self._fits(self._memory):
                return 0
            self._append(Batch(records, len(lines)))
            return len(records)
        self._disk_works = True
        if number is None:
            fitting = records[: _fitting(records, self._own.room)]
            return self.add(fitting) if fitting else 0
        if self._read.get(self._own.path, 0) == number - 1 and self._fits(WINDOW):
            row = Row(number, len(records), lines)
            self._append(Batch(records, len(lines), spool=self._own, row=row))
            self._read[self._own.path] = number
        return len(records)

    def adopt(self, directory: Path, max_bytes: int) -> None:
        """Take over the spools of dead workers, unless there are some already."""
        if not self._adopted:
            self._adopted = list(orphans(directory, max_bytes))

    def head(self, most: int) -> list[Batch]:
        """The oldest batches, some `most` events together. They stay until `done`."""
        self._refill()
        batches: list[Batch] = []
        events = 0
        for batch in self._window:
            batches.append(batch)
            events += len(batch.records)
            if events >= most:
                break
        return batches

    def done(self, batches: list[Batch]) -> None:
        """Kafka has them: forget them, in memory and on disk."""
        rows: dict[int, tuple[Spool, list[Row]]] = {}
        for batch in batches:
            self._window.popleft()
            self._events -= len(batch.records)
            self._bytes -= batch.size
            if batch.spool is not None and batch.row is not None:
                rows.setdefault(id(batch.spool), (batch.spool, []))[1].append(batch.row)
        for spool, some in rows.values():
            try:
                spool.delete(some)
            except SpoolError as error:
                # They will be sent again after a restart, with the header that says so.
                self._log.warn("spool", "activity spool cannot forget what was sent: %s", error)
        for spool in [spool for spool in self._adopted if spool.rows == 0]:
            self._adopted.remove(spool)
            spool.close()

    def waiting(self) -> tuple[int, int]:
        """Events in memory that no disk holds, bytes on disk."""
        in_memory = sum(len(batch.records) for batch in tuple(self._window) if batch.spool is None)
        return in_memory, sum(spool.bytes for spool in self._spools())

    def on_disk(self) -> bool:
        """Whether all that waits survives this process."""
        return self._own is not None and self.waiting()[0] == 0

    def close(self) -> None:
        """Release the spools; what they hold is the next worker's."""
        for spool in self._spools():
            spool.close()

    def abandon_after_fork(self) -> None:
        """See Spool.abandon_after_fork."""
        for spool in self._spools():
            spool.abandon_after_fork()

    def _spools(self) -> list[Spool]:
        return ([self._own] if self._own is not None else []) + self._adopted

    def _fits(self, events: int) -> bool:
        return self._events < events and self._bytes < self._memory_bytes

    def _append(self, batch: Batch) -> None:
        self._window.append(batch)
        self._events += len(batch.records)
        self._bytes += batch.size

    def _refill(self) -> None:
        for spool in self._spools():
            while self._fits(WINDOW) and (read := self._read.get(spool.path, 0)) < spool.last:
                try:
                    rows = spool.read(read, _ROWS)
                except SpoolError as error:
                    self._log.warn("spool", "activity spool cannot be read: %s", error)
                    break
                for row in rows:
                    records = list(_records(row.lines.split(b"\n")))
                    resent = spool is not self._own
                    self._append(Batch(records, len(row.lines), resent, spool, row))
                self._read[spool.path] = rows[-1].number if rows else spool.last


def _fitting(records: list[ProducerRecord], room: int) -> int:
    """How many of them, from the first on, are no more than `room` bytes as lines."""
    ends = accumulate(len(record.value) + 1 for record in records)
    return sum(end - 1 <= room for end in ends)


def _records(lines: Iterable[bytes]) -> Iterable[ProducerRecord]:
    for line in lines:
        yield ProducerRecord(str(json.loads(line)["org_id"]).encode("utf-8"), line)
