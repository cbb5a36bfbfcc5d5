"""How far the consumer of spools is, where there is no broker: one small SQLite file beside them.

The consumer writes it, the spools' owners read it and forget what is settled. So each file has one
writer: SQLite's locks never make a service wait.
"""

from pathlib import Path

from activity_spool.lock import lock, unlock
from activity_spool.sqlite import sqlite3

FILE = "consumer.db"
#: Locked by the consumer for as long as it lives.
LOCK = "consumer.lock"
#: Below the spool directory; spools that wait for Kafka are beside it.
DIRECTORY = "local"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settled (
    spool    TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    metadata TEXT NOT NULL
)
"""

#: A spool's row holds fewer events than this; an event's position is its row's number times this,
#: plus its place in the row.
EVENTS_PER_ROW = 1 << 20


class SpoolProgress:
    """The consumer's side. Raises sqlite3.Error, as for a full disk."""

    def __init__(self, directory: Path) -> None:
        self._db = sqlite3.connect(directory / FILE, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A lease that a power cut takes back would let an insert of before arrive unnoticed.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)

    def write(self, spool: str, position: int, metadata: str) -> None:
        """All events of the spool below this position are settled."""
        self._db.execute(
            "INSERT INTO settled VALUES (?, ?, ?) ON CONFLICT (spool)"
            " DO UPDATE SET position = excluded.position, metadata = excluded.metadata",
            (spool, position, metadata),
        )

    def read(self, spool: str) -> tuple[int, str] | None:
        """Position and metadata; None: nothing of this spool yet."""
        found: tuple[int, str] | None = self._db.execute(
            "SELECT position, metadata FROM settled WHERE spool = ?", (spool,)
        ).fetchone()
        return found

    def forget(self, spool: str) -> None:
        """The spool is gone."""
        self._db.execute("DELETE FROM settled WHERE spool = ?", (spool,))

    def close(self) -> None:
        self._db.close()


def settled_position(directory: Path, spool: str) -> int:
    """The owner's side: all events of the spool below this position are settled.

    0 while there is no consumer. Never waits for it.
    """
    path = directory / FILE
    if sqlite3 is None or not path.exists():
        return 0
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            found = db.execute("SELECT position FROM settled WHERE spool = ?", (spool,)).fetchone()
        finally:
            db.close()
    except sqlite3.Error:
        return 0
    return int(found[0]) if found else 0


def has_consumer(directory: Path) -> bool:
    """The owner's side: whether a consumer reads the spools now."""
    try:
        unlock(lock(directory / LOCK, create=False))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
