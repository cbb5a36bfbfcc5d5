"""The engine of this process: who runs what on it, and how it ends."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson

from activity_deploy.clickhouse.connections import MARK, ConnectionPool, connect, quote
from activity_deploy.clickhouse.errors import RAISED, EngineError, refused
from activity_deploy.clickhouse.insert_file import InsertFiles
from activity_deploy.clickhouse.output_clause import output
from activity_deploy.clickhouse.query_ids import resolved
from activity_deploy.clickhouse.run import Answer, Run, run_on

# Of a server that has the machine to itself, the defaults are 0.9 and 5 GiB for each of the caches.
_SERVER_SETTINGS = "&".join(
    (
        "max_server_memory_usage_to_ram_ratio=0.5",
        f"mark_cache_size={256 << 20}",
        f"index_mark_cache_size={64 << 20}",
        f"primary_index_cache_size={256 << 20}",
    )
)

# Of a summary -> of system.processes.
_FIGURES = {
    **{name: name for name in ("read_rows", "read_bytes", "written_rows", "written_bytes")},
    "total_rows_to_read": "total_rows_approx",
    "elapsed_ns": "toUInt64(elapsed * 1e9)",
}
# For the query that a new one replaces (replace_running_query_max_wait_ms).
_REPLACING_PATIENCE_SECONDS = 5.0

_CONFIG, _USERS = (Path(__file__).with_name(f"{name}.xml") for name in ("config", "users"))


class Engine:
    """Queries on different connections run side by side (chDB releases the GIL)."""

    def __init__(self, path: Path, *, is_restricted: bool = True) -> None:
        self._path = str(path)
        config = f"config-file={_CONFIG}" + (f"&users_config={_USERS}" if is_restricted else "")
        # Kept open to the end: with its last connection the engine closes.
        # Where a server's default configuration has it: `BACKUP ... TO File('name')`.
        backups = f"backups.allowed_path={self._path}/backups"
        self._root = connect(f"{self._path}?{config}&{_SERVER_SETTINGS}&{backups}")
        self.timezone = self._root.query("SELECT timezone()", "TSV").bytes().decode().strip()
        self.connections = ConnectionPool(self._path)
        self.files = InsertFiles()
        self._runs: dict[str, Run] = {}
        self._changed = threading.Condition()

    def execute(self, run: Run) -> Answer:
        """Run a statement to its end, in this thread. Raises EngineError."""
        with self.running(run):
            connection = self.connections.take(run.key)
            unchanged = False
            try:
                self.begin(run, connection.name)
                answer = run_on(connection, run, self.files)
                unchanged = run.keeps_session
                return answer
            finally:
                with self._changed:
                    run.connection_name = ""
                # An error, a SET, a temporary table: the session ends with the request. And a kill
                # that comes late must find this connection in nobody else's use.
                if unchanged and not run.cancelled:
                    self.connections.give_back(connection)
                else:
                    connection.chdb.close()

    def cancel(self, run: Run) -> None:
        """Ask the engine to stop a statement; does nothing if it has ended."""
        with self._changed:
            name, run.cancelled = run.connection_name, True
        if name:
            self._kill(f"Settings[{quote(MARK)}] = {quote(name)}")

    def begin(self, run: Run, connection_name: str) -> None:
        """From now on it can be cancelled, and other statements find it under its id. Raises
        EngineError if it has been cancelled before."""
        with self._changed:
            if run.cancelled:
                raise refused(394, "QUERY_WAS_CANCELLED", "Query was cancelled")
            run.connection_name = connection_name
            others = self._runs.values()
            run.ids = {one.connection_name: one.query_id for one in others if one.connection_name}
        run.statement = resolved(run.statement, run.query_id, run.ids)

    def read_so_far(self, run: Run) -> dict[str, str]:
        """What a running statement has done, as in ClickHouse's summary and progress."""
        figures = dict.fromkeys((*_FIGURES, "result_rows", "result_bytes"), "0")
        columns = ", ".join(_FIGURES.values())
        mark = f"Settings[{quote(MARK)}]"
        sql = f"FROM system.processes SELECT {columns} WHERE {mark} = {quote(run.connection_name)}"
        with contextlib.suppress(RuntimeError), connect(self._path) as connection:
            found = bytes(connection.query(sql, "TabSeparated").bytes() or b"").decode().split()
            figures.update(zip(_FIGURES, found, strict=False))
        return figures

    def types_of(self, run: Run) -> dict[bytes, bytes]:
        """The columns of a SELECT that has been understood, by their names; none where it needs
        what only its session has."""
        sql = run.statement.sql
        described = b"DESCRIBE (" + sql[: output(sql)[0]] + b"\n)"
        with contextlib.suppress(EngineError, *RAISED):
            connection = self.connections.take(run.key)
            try:
                result = connection.chdb.query(described, "JSONCompactEachRow", run.params)
            finally:
                connection.chdb.close()
            rows = map(orjson.loads, bytes(result.bytes() or b"").splitlines())
            return {row[0].encode(): row[1].encode() for row in rows}
        return {}

    def close(self, patience: float) -> bool:
        """Stop what reads, wait up to `patience` seconds for all, close. False: some still run."""
        self._kill("query_kind != 'Insert'")
        with self._changed:
            stopped = self._changed.wait_for(lambda: not self._runs, timeout=patience)
        if stopped:
            self.connections.close()
            self._root.close()
        return stopped

    @contextlib.contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """It has its id for itself, and `close` waits for it. Blocks while it replaces another one.
        Raises EngineError (216) where that id is in use."""
        self._enter(run)
        try:
            yield
        finally:
            with self._changed:
                del self._runs[run.query_id]
                self._changed.notify_all()

    def _enter(self, run: Run) -> None:
        taken = f"Query with id = {run.query_id} is already running"
        name = "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING"
        with self._changed:
            other = self._runs.get(run.query_id)
            if other is None:
                self._runs[run.query_id] = run
                return
        if not run.replaces:
            raise refused(216, name, taken)
        self.cancel(other)
        with self._changed:
            is_free = self._changed.wait_for(
                lambda: run.query_id not in self._runs, timeout=_REPLACING_PATIENCE_SECONDS
            )
            if not is_free:
                raise refused(216, name, f"{taken} and can't be stopped")
            self._runs[run.query_id] = run

    def _kill(self, condition: str) -> None:
        # A connection of its own: the root connection may be in use by another thread's kill.
        with contextlib.suppress(RuntimeError), connect(self._path) as connection:
            connection.query(f"KILL QUERY WHERE {condition} ASYNC", "Null")
