"""One statement on one connection."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activity_deploy.clickhouse.answer_pipe import AnswerPipe
from activity_deploy.clickhouse.connections import VERSION, Connection, Key
from activity_deploy.clickhouse.errors import RAISED, engine_error, refused
from activity_deploy.clickhouse.insert_file import InsertFiles
from activity_deploy.clickhouse.kill import kill
from activity_deploy.clickhouse.output_clause import into_file
from activity_deploy.clickhouse.statement import (
    ANSWERING,
    Statement,
    insert_into,
    with_file,
    with_table,
)

_INPUT_TABLE = "_input_of_this_statement"

#: Tables that exist for one statement only: name -> (structure, format, data).
ExternalTables = dict[str, tuple[str, str, bytes]]


@dataclass(slots=True)
class Run:
    """A statement to run, and the state of the connection it needs.

    `connection_name` is set while it runs, for cancelling it. With a `pipe` its answer goes there.
    `replaces`: it stops the running query that has its `query_id`. `ids`: of those that run, by
    connection.
    """

    statement: Statement
    key: Key
    params: dict[str, str]
    default_format: str
    external: ExternalTables = field(default_factory=dict)
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    replaces: bool = False
    pipe: AnswerPipe | None = None
    connection_name: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def keeps_session(self) -> bool:
        """After it the connection is as it was before."""
        statement = self.statement
        return (statement.reading or statement.verb == b"INSERT") and not self.external


@dataclass(frozen=True, slots=True)
class Answer:
    """A statement's rows as bytes of `format` ('' if it answers none), and ClickHouse's summary.

    `body` is empty where they went into the run's pipe.
    """

    body: bytes
    format: str
    summary: dict[str, str]


def answer_format_of(run: Run) -> str:
    """Of the rows that it answers."""
    return run.statement.result_format or run.default_format


def run_on(connection: Connection, run: Run, files: InsertFiles) -> Answer:
    """Run a statement to its end, in this thread. Raises EngineError."""
    try:
        return _run_on(connection, run, files)
    finally:
        if run.pipe is not None:
            run.pipe.end()


def _run_on(connection: Connection, run: Run, files: InsertFiles) -> Answer:
    statement = run.statement
    started = time.perf_counter_ns()
    try:
        for name, (structure, data_format, data) in run.external.items():
            connection.chdb.query(f"CREATE TEMPORARY TABLE {name} ({structure})")
            _query(connection, insert_into(name, data_format, data), "Null", {}, files)
        if statement.data is not None and statement.infile_at is None:
            result = _select_from_input(connection, run, files)
        elif statement.verb == b"KILL":
            result = kill(connection, statement.sql, run.default_format, run.ids)
        else:
            written = _into_pipe(run)
            result = _query(connection, written, run.default_format, run.params, files)
    except RAISED as error:
        raise engine_error(error, VERSION) from None
    if statement.verb == b"INSERT":
        return Answer(b"", "", _summary(result, started))
    body = bytes(result.bytes() or b"")
    has_rows = statement.verb in ANSWERING or bool(body)
    answer_format = answer_format_of(run) if has_rows else ""
    return Answer(body, answer_format, _summary(result, started, len(body)))


def _into_pipe(run: Run) -> Statement:
    if run.pipe is None:
        return run.statement
    return replace(run.statement, sql=into_file(run.statement.sql, run.pipe.path))


def _query(
    connection: Connection,
    statement: Statement,
    answer: str,
    params: dict[str, str],
    files: InsertFiles,
) -> Any:
    query = connection.chdb.query
    if statement.data is None:
        return query(statement.sql, answer, params)
    # Not chDB's streaming insert (`send_insert`): killed, or over its max_execution_time, that one
    # drops the rows it has not read yet and reports success. Nor the data as part of the
    # statement: that takes the engine half as long again. docs/adr/0004 has the figures.
    try:
        with files.holding(statement.data) as path:
            return query(with_file(statement, path), "Null", params)
    except OSError as error:
        raise refused(243, "NOT_ENOUGH_SPACE", f"No room for the data: {error.strerror}") from None


def _select_from_input(connection: Connection, run: Run, files: InsertFiles) -> Any:
    """input() reads a table that is there as long as the statement: the engine's own input() has no
    data here, and the table function file() is granted to nobody."""
    structure, select = with_table(run.statement, _INPUT_TABLE)
    data = insert_into(_INPUT_TABLE, run.statement.data_format.decode(), b"")
    query = connection.chdb.query
    query(f"CREATE TEMPORARY TABLE {_INPUT_TABLE} ({structure})")
    try:
        _query(connection, replace(data, data=run.statement.data), "Null", {}, files)
        return query(select.sql, "Null", run.params)
    finally:
        query(f"DROP TEMPORARY TABLE {_INPUT_TABLE}")


def _summary(result: Any, started: int, answer_bytes: int | None = None) -> dict[str, str]:
    """`answer_bytes`: None for an INSERT, whose result is what it has written."""
    written_rows, written_bytes = result.rows_written(), result.bytes_written()
    figures = {
        "read_rows": result.storage_rows_read(),
        "read_bytes": result.storage_bytes_read(),
        "written_rows": written_rows,
        "written_bytes": written_bytes,
        "total_rows_to_read": 0,
        "result_rows": written_rows if answer_bytes is None else result.rows_read(),
        "result_bytes": written_bytes if answer_bytes is None else answer_bytes,
        "elapsed_ns": time.perf_counter_ns() - started,
    }
    # ClickHouse sends numbers as strings here.
    return {name: str(value) for name, value in figures.items()}
