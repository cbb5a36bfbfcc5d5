"""Spool files as partitions: without a broker, each is a log of its own with positions in it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Committed, LogBounds
from activity_consume.record import TopicPartition
from activity_spool.lock import lock
from activity_spool.progress import EVENTS_PER_ROW, SpoolProgress
from activity_spool.spool import Spool, SpoolError

_TOPIC = "spool:"


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """An event in a spool, with what a Kafka record has."""

    offset: int
    value: bytes | None
    timestamp: int
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class SpoolFile:
    """Read while its owner writes: SQLite's WAL keeps the two apart."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error."""
        self.path = path
        self.partition = TopicPartition(f"{_TOPIC}{path.stem}", 0)
        self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)

    def read(self, position: int, rows: int, now_ms: int) -> list[SpoolRecord]:
        """The events at or after a position, of at most `rows` rows. Raises sqlite3.Error."""
        found = self._db.execute(
            "SELECT row, lines FROM outbox WHERE row >= ? ORDER BY row LIMIT ?",
            (position // EVENTS_PER_ROW, rows),
        )
        return [
            SpoolRecord(number * EVENTS_PER_ROW + place, line, now_ms)
            for number, lines in found
            for place, line in enumerate(lines.split(b"\n"))
            if number * EVENTS_PER_ROW + place >= position
        ]

    def has_owner(self) -> bool:
        """Somebody writes it: its owner holds a lock for as long as it lives."""
        try:
            lock(self.path.with_suffix(".lock"), create=False).close()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def remove_if_done(self, position: int) -> bool:
        """If its owner is dead and all below `position` was everything: remove it."""
        try:
            spool = Spool(self.path, max_bytes=0, create=False)
        except FileNotFoundError:
            return True  # its owner has removed it: there was nothing left
        except (OSError, SpoolError):
            return False
        try:
            rows = spool.read(0, _MANY)
            if rows and rows[-1].number * EVENTS_PER_ROW + rows[-1].events > position:
                return False
            spool.delete(rows)
            return len(rows) < _MANY
        except SpoolError:
            return False
        finally:
            spool.close()  # an empty one leaves no file behind


# Rows deleted in one go: a transaction of some hundred pages, and a row is a MiB at most.
_MANY = 100


class SpoolOffsetStore:
    """OffsetStore for spools. Nothing to fence: one consumer holds the directory's lock."""

    def __init__(self, progress: SpoolProgress) -> None:
        self._progress = progress

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        """On disk when this returns. Raises sqlite3.Error."""
        self._progress.write(_name(partition), offset, lease.encode())

    async def committed(self, partition: TopicPartition) -> Committed | None:
        """The last commit."""
        found = self._progress.read(_name(partition))
        return Committed(found[0], Lease.decode(found[1])) if found else None

    async def bounds(self, partition: TopicPartition) -> LogBounds:
        """A spool loses nothing that is not settled, and positions have gaps."""
        del partition
        return LogBounds(0, 2**62)


def spool_files(directory: Path) -> Iterator[Path]:
    """Those there are, oldest name first."""
    yield from sorted(directory.glob("*.spool"))


def _name(partition: TopicPartition) -> str:
    return partition.topic.removeprefix(_TOPIC)
