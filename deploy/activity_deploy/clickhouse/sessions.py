"""ClickHouse's HTTP sessions: `session_id` keeps SET, USE and temporary tables between requests."""

import threading
import time
from dataclasses import dataclass

import orjson

from activity_deploy.clickhouse.connections import Connection, identifier, quote, set_clause
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.errors import EngineError, refused
from activity_deploy.clickhouse.run import Answer, Run, run_on

# As on a server (`max_session_timeout`), in seconds.
_LONGEST = 3600.0


@dataclass(slots=True)
class _Session:
    connection: Connection
    in_use: bool = True
    expires: float = 0.0


class Sessions:
    """One connection per session, one request at a time on it. A session that has not been used for
    its timeout is closed by the next request that comes with any session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def execute(self, name: str, timeout: float, check: bool, run: Run) -> Answer:
        """Run a statement in the session `name`. `timeout`: seconds it then lives on; `check`: it
        must be there already. Raises EngineError: 372 not there, 373 in use.
        """
        if timeout > _LONGEST:
            raise refused(
                374, "INVALID_SESSION_TIMEOUT", f"Session timeout is over {_LONGEST:.0f} seconds"
            )
        with self._engine.running(run):
            session = self._enter(name, check)
            undo: list[str] = []
            try:
                self._engine.begin(run, session.connection.name)
                undo = _apply(session.connection, run)
                return run_on(session.connection, run, self._engine.files)
            finally:
                run.connection_name = ""
                _undo(session.connection, undo)
                with self._lock:
                    session.in_use = False
                    session.expires = time.monotonic() + timeout

    def close(self) -> None:
        """Close the sessions no request is using."""
        with self._lock:
            free = [session for session in self._sessions.values() if not session.in_use]
            self._sessions.clear()
        for session in free:
            session.connection.chdb.close()

    def _enter(self, name: str, check: bool) -> _Session:
        now = time.monotonic()
        with self._lock:
            for other, session in list(self._sessions.items()):
                if not session.in_use and session.expires < now:
                    del self._sessions[other]
                    session.connection.chdb.close()
            found = self._sessions.get(name)
            if found is None:
                if check:
                    raise refused(372, "SESSION_NOT_FOUND", f"Session {name} not found")
                connection = self._engine.connections.take(("", ()))
                found = self._sessions[name] = _Session(connection)
            elif found.in_use:
                raise refused(373, "SESSION_IS_LOCKED", f"Session {name} is locked by a query")
            found.in_use = True
            return found


def _apply(connection: Connection, run: Run) -> list[str]:
    """Give the session the request's database and settings; the statements that take them back."""
    database, settings = run.key
    undo: list[str] = []
    if database:
        current = connection.query("SELECT currentDatabase() FORMAT TSVRaw").rstrip("\n")
        connection.use(database)
        undo.append(f"USE {identifier(current)}")
    if settings:
        names = ", ".join(quote(name) for name, _ in settings)
        columns = f"name, changed, value FROM system.settings WHERE name IN ({names})"
        before = connection.query(f"SELECT {columns} FORMAT JSONCompactEachRow").splitlines()
        connection.query(set_clause(dict(settings)))
        values = [
            f"{name} = {quote(value) if changed else 'DEFAULT'}"
            for name, changed, value in map(orjson.loads, before)
        ]
        if values:
            undo.append("SET " + ", ".join(values))
    return undo


def _undo(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        try:
            connection.query(statement)
        except EngineError:
            # The statement itself has made the session read-only, or dropped its database.
            continue
