"""Connections to the one engine of this process, each with its own database and settings."""

import itertools
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

import chdb

from activity_deploy.clickhouse.errors import RAISED, engine_error

VERSION: str = chdb.engine_version

# Connections kept for requests that come with the same database and settings again.
_MOST_IDLE = 64

_DEFAULTS = {
    # chDB eases two things a server does not: `1 + 1` without SELECT, introspection functions.
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    # The data of INSERT ... SELECT count() FROM input() comes from a file that is used again.
    "use_cache_for_count_from_files": "0",
    # chDB 26.9 takes no notice of a write that fails (ENOSPC): the part is cut off and the insert
    # confirmed. So stop while there is room for the merges, too.
    "min_free_disk_bytes_to_perform_insert": str(512 << 20),
}

# The setting that carries a connection's name into `system.processes`, where `KILL QUERY` finds it:
# chDB gives queries ids of its own. The engine reads it only with trace_profile_events = 1, and
# unlike log_comment it is of no use to clients.
MARK = "trace_profile_events_list"

#: What a session is made of: its database, and its settings in the order of their names.
Key = tuple[str, tuple[tuple[str, str], ...]]


def connect(path: str) -> Any:
    """A `chdb.Connection`: chDB allows one engine per process, and any number of these to it."""
    return chdb.connect(path)  # type: ignore[no-untyped-call]


def quote(value: str) -> str:
    """A value as a SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A name as a SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def set_clause(settings: dict[str, str]) -> str:
    """`SET a = 'x', b = 'y'`. `readonly` goes last: after it nothing else could be set."""
    names = sorted(settings, key=lambda name: (name == "readonly", name))
    return "SET " + ", ".join(f"{name} = {quote(settings[name])}" for name in names)


@dataclass(frozen=True, slots=True)
class Connection:
    """One `chdb.Connection`. It is used by one thread at a time."""

    chdb: Any
    key: Key
    name: str

    def query(self, sql: str) -> str:
        """A small statement of our own. Raises EngineError."""
        try:
            answer: bytes | None = self.chdb.query(sql, "TabSeparated").bytes()
        except RAISED as error:
            raise engine_error(error, VERSION) from None
        return (answer or b"").decode()

    def use(self, database: str) -> None:
        """Make a database the connection's own. Raises EngineError (81)."""
        self.query(f"USE {identifier(database)}")


class ConnectionPool:
    """A request never sees another one's settings: a connection is only ever used again for a
    request with the very same database and settings, and if no statement has changed its session.

    This is why it is not clickhouse_connect's chDB client that runs the queries: that one restores
    settings after each call with three more statements, on one locked connection. Here the common
    case costs nothing, the rare one a new connection (65 us) and one SET (65 us).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: OrderedDict[Key, deque[Connection]] = OrderedDict()
        self._idle_count = 0
        self._names = itertools.count(1)

    def take(self, key: Key) -> Connection:
        """A connection in exactly this state. Raises EngineError for a bad setting or database."""
        with self._lock:
            waiting = self._idle.get(key)
            if waiting:
                self._idle_count -= 1
                return waiting.pop()
        return self._open(key)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose session is unchanged."""
        with self._lock:
            self._idle.setdefault(connection.key, deque()).append(connection)
            self._idle.move_to_end(connection.key)
            self._idle_count += 1
            surplus = self._oldest() if self._idle_count > _MOST_IDLE else None
        if surplus is not None:
            surplus.chdb.close()

    def close(self) -> None:
        """Close the idle ones."""
        with self._lock:
            idle = [connection for waiting in self._idle.values() for connection in waiting]
            self._idle.clear()
            self._idle_count = 0
        for connection in idle:
            connection.chdb.close()

    def _oldest(self) -> Connection | None:
        for key in list(self._idle):
            waiting = self._idle[key]
            if waiting:
                self._idle_count -= 1
                return waiting.popleft()
            del self._idle[key]
        return None

    def _open(self, key: Key) -> Connection:
        database, settings = key
        connection = Connection(connect(self._path), key, f"connection-{next(self._names)}")
        try:
            if database:
                connection.use(database)
            connection.query(set_clause(_DEFAULTS | {MARK: connection.name} | dict(settings)))
        except BaseException:
            connection.chdb.close()
            raise
        return connection
