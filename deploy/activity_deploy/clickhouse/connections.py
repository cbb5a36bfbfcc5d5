"""Handles to the one engine of this process, each with its own database and settings."""

import itertools
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

import chdb

from activity_deploy.clickhouse.errors import RAISED, engine_error

VERSION: str = chdb.engine_version

# Handles kept for requests that come with the same database and settings again.
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

# The setting that carries a handle's name into `system.processes`, where `KILL QUERY` finds it:
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
class Handle:
    """One `chdb.Connection`. It is used by one thread at a time."""

    connection: Any
    key: Key
    name: str

    def ask(self, sql: str) -> str:
        """A small statement of our own. Raises EngineError."""
        try:
            answer: bytes | None = self.connection.query(sql, "TabSeparated").bytes()
        except RAISED as error:
            raise engine_error(error, VERSION) from None
        return (answer or b"").decode()

    def use(self, database: str) -> None:
        """Make a database the handle's own. Raises EngineError (81)."""
        self.ask(f"USE {identifier(database)}")


class Handles:
    """A request never sees another one's settings: a handle is only ever used again for a request
    with the very same database and settings, and only if no statement has changed its session.

    This is why it is not clickhouse_connect's chDB client that runs the queries: that one restores
    settings after each call with three more statements, on one locked handle. Here the common case
    costs nothing, the rare one a new handle (65 us) and one SET (65 us).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: OrderedDict[Key, deque[Handle]] = OrderedDict()
        self._idle_count = 0
        self._names = itertools.count(1)

    def take(self, key: Key) -> Handle:
        """A handle in exactly this state. Raises EngineError for a bad setting or database."""
        with self._lock:
            waiting = self._idle.get(key)
            if waiting:
                self._idle_count -= 1
                return waiting.pop()
        return self._open(key)

    def give_back(self, handle: Handle) -> None:
        """Keep a handle whose session is unchanged."""
        with self._lock:
            self._idle.setdefault(handle.key, deque()).append(handle)
            self._idle.move_to_end(handle.key)
            self._idle_count += 1
            surplus = self._oldest() if self._idle_count > _MOST_IDLE else None
        if surplus is not None:
            surplus.connection.close()

    def close(self) -> None:
        """Close the idle ones."""
        with self._lock:
            idle = [handle for waiting in self._idle.values() for handle in waiting]
            self._idle.clear()
            self._idle_count = 0
        for handle in idle:
            handle.connection.close()

    def _oldest(self) -> Handle | None:
        for key in list(self._idle):
            waiting = self._idle[key]
            if waiting:
                self._idle_count -= 1
                return waiting.popleft()
            del self._idle[key]
        return None

    def _open(self, key: Key) -> Handle:
        database, settings = key
        handle = Handle(connect(self._path), key, f"handle-{next(self._names)}")
        try:
            if database:
                handle.use(database)
            handle.ask(set_clause(_DEFAULTS | {MARK: handle.name} | dict(settings)))
        except BaseException:
            handle.connection.close()
            raise
        return handle
