"""The engine of this process: who runs what on it, and how it ends."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from activity_deploy.clickhouse.connections import MARK, ConnectionPool, connect, quote
from activity_deploy.clickhouse.insert_file import InsertFiles
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
        self._count = 0
        self._changed = threading.Condition()

    def execute(self, run: Run) -> Answer:
        """Run a statement to its end, in this thread. Raises EngineError."""
        with self.running():
            connection = self.connections.take(run.key)
            run.connection_name = connection.name
            unchanged = False
            try:
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

    def close(self, patience: float) -> bool:
        """Stop what reads, wait up to `patience` seconds for all, close. False: some still run."""
        self._kill("query_kind != 'Insert'")
        with self._changed:
            stopped = self._changed.wait_for(lambda: self._count == 0, timeout=patience)
        if stopped:
            self.connections.close()
            self._root.close()
        return stopped

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Counts a statement as running, so that `close` waits for it."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def _kill(self, condition: str) -> None:
        # A connection of its own: the root connection may be in use by another thread's kill.
        with contextlib.suppress(RuntimeError), connect(self._path) as connection:
            connection.query(f"KILL QUERY WHERE {condition} ASYNC", "Null")
