"""The durable spool: events on disk, ahead of Kafka. One SQLite file per worker process.

A row is one flush: up to some hundred events, one JSON line each. Rows and not events, because each
statement costs a lock and a hand-over of the interpreter; lines, so that any tool can read them.

A worker holds an exclusive lock (`flock`) on `<name>.lock` for as long as it lives: the kernel
drops it at any death, so who can take the lock knows that the owner is gone, and adopts the file.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activity_spool.lock import lock
from activity_spool.private import make_private
from activity_spool.settings import homeless_dir
from activity_spool.sqlite import sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    row    INTEGER PRIMARY KEY AUTOINCREMENT,
    events INTEGER NOT NULL,
    lines  BLOB NOT NULL
)
"""


class SpoolError(OSError):
    """The spool cannot be used here; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One flush as it stands in the spool. `number` rises; `lines` are the messages' values."""

    number: int
    events: int
    lines: bytes


class Spool:
    """One file, used from one thread. Times and Kafka are not its business."""

    def __init__(self, path: Path, max_bytes: int, *, create: bool = True) -> None:
        """Lock and open. Raises BlockingIOError if its owner lives, SpoolError otherwise."""
        if sqlite3 is None:
            raise SpoolError("this Python has no sqlite3")
        self.path = path
        self._max_bytes = max_bytes
        self._lock = lock(path.with_suffix(".lock"), create=create)
        try:
            # The publisher opens it on its thread and the fork handler lets go of it on another.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            # A commit survives the death of the process at once, that of the machine at the next
            # checkpoint: an fsync per flush would wear the disk for less than it is worth.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA journal_size_limit = 4194304")
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute(_SCHEMA)
            self.last: int
            self.rows: int
            self.bytes: int
            self.last, self.rows, self.bytes = self._db.execute(
                "SELECT coalesce(max(row), 0), count(), coalesce(sum(length(lines)), 0) FROM outbox"
            ).fetchone()
        except (sqlite3.Error, OSError) as error:
            self._lock.close()
            raise SpoolError(f"{path}: {error}") from None

    @property
    def room(self) -> int:
        """Bytes below the cap."""
        return self._max_bytes - self.bytes

    def append(self, lines: bytes, events: int) -> int | None:
        """Commit one flush; returns its number, or None if the cap is reached.

        Raises SpoolError on a full or read-only disk: nothing was written then.
        """
        if len(lines) > self.room:
            return None
        try:
            with self._transaction():
                self._db.execute(
                    "INSERT INTO outbox (row, events, lines) VALUES (?, ?, ?)",
                    (self.last + 1, events, lines),
                )
        except sqlite3.Error as error:
            raise SpoolError(f"{self.path}: {error}") from None
        self.last += 1
        self.rows += 1
        self.bytes += len(lines)
        return self.last

    def read(self, after: int, limit: int) -> list[Row]:
        """The oldest rows with a number above `after`."""
        try:
            found = self._db.execute(
                "SELECT row, events, lines FROM outbox WHERE row > ? ORDER BY row LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise SpoolError(f"{self.path}: {error}") from None
        return [Row(*columns) for columns in found]

    def delete(self, rows: list[Row]) -> None:
        """Forget acknowledged rows. Raises SpoolError: then a later owner re-sends them."""
        try:
            with self._transaction():
                self._db.executemany(
                    "DELETE FROM outbox WHERE row = ?", [(row.number,) for row in rows]
                )
        except sqlite3.Error as error:
            raise SpoolError(f"{self.path}: {error}") from None
        self.rows -= len(rows)
        self.bytes -= sum(len(row.lines) for row in rows)

    def erase(self, row: Row, lines: bytes, events: int) -> None:
        """Write a row anew with `events` of its lines, b"" and 0 for none; what was there is
        overwritten on the disk, too. Raises SpoolError: then nothing was changed, or all was but
        for the overwriting, which the next call makes up for."""
        try:
            self._db.execute("PRAGMA secure_delete = ON")
            with self._transaction():
                if events:
                    self._db.execute(
                        "UPDATE outbox SET events = ?, lines = ? WHERE row = ?",
                        (events, lines, row.number),
                    )
                else:
                    self._db.execute("DELETE FROM outbox WHERE row = ?", (row.number,))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise SpoolError(f"{self.path}: {error}") from None
        self.rows -= not events
        self.bytes -= len(row.lines) - len(lines)

    def close(self) -> None:
        """Close; an empty spool leaves no file behind."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        if self.rows == 0:
            remove(self.path)
        self._lock.close()

    def abandon_after_fork(self) -> None:
        """In a forked child: drop the parent's lock handle. The connection stays unused for good,
        because SQLite must not be touched across a fork."""
        self._lock.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise


def open_spool(directory: Path, name: str, max_bytes: int) -> Spool:
    """This worker's own spool. Raises SpoolError with the reason."""
    try:
        if directory.is_relative_to(homeless := homeless_dir(os.environ)):
            make_private(homeless)  # /tmp is everybody's
        # 0700: events name people.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Spool(directory / f"{name}.spool", max_bytes)
    except SpoolError:
        raise
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror or error}") from None


def orphans(directory: Path, max_bytes: int) -> Iterator[Spool]:
    """Spools whose worker is dead, each locked for the caller. Empty ones are removed."""
    try:
        paths = sorted(directory.glob("*.spool"))
    except OSError:
        return
    for path in paths:
        try:
            spool = Spool(path, max_bytes, create=False)
        except OSError:  # alive, or adopted by another worker in this moment, or not readable
            continue
        if spool.rows == 0:
            spool.close()
        else:
            yield spool


def remove(path: Path) -> None:
    """Remove a spool's files, the lock last: until then nobody else takes the name."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), path.with_suffix(".lock")):
        with contextlib.suppress(OSError):
            name.unlink(missing_ok=True)
