"""Just enough of ClickHouse's syntax to hand a statement over: its first word, and its data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from activity_deploy.clickhouse.connections import quote
from activity_deploy.clickhouse.errors import refused
from activity_deploy.clickhouse.output_clause import output
from activity_deploy.clickhouse.tokens import TOKEN

_BEFORE_FIRST_WORD = re.compile(rb"(?:\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/|\()*(\w+)", re.DOTALL)
# What ClickHouse skips between `FORMAT Name` and the data: blanks, then one line end.
_BEFORE_DATA = re.compile(rb"[ \t\f]*\r?\n?")
_BEFORE_NAME = (b"INTO", b"TABLE", b".")
_ASSIGNMENT = re.compile(rb"\s*\w+\s*=")
_INPUT = re.compile(rb"\binput\s*\(\s*(?P<structure>'(?:[^'\\]|\\.|'')*')\s*\)", re.IGNORECASE)

# They answer with rows, and they change nothing in the session.
READING = frozenset(
    (b"SELECT", b"WITH", b"SHOW", b"DESCRIBE", b"DESC", b"EXPLAIN", b"EXISTS", b"FROM", b"VALUES")
)
# A WITH may belong to an INSERT; a SELECT that is allowed to name a file of its own keeps to that.
_SELECTING = (b"SELECT", b"WITH", b"FROM")
_NOT_SELECTING = re.compile(rb"\binsert\s+into\b|\boutfile\b", re.IGNORECASE)
ANSWERING = READING | {b"CHECK", b"KILL", b"CALL"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. With `data` it is an INSERT of these pieces, and `sql` ends before FORMAT."""

    verb: bytes
    sql: bytes
    data: tuple[bytes, ...] | None = None
    data_format: bytes = b""
    #: Where FROM INFILE belongs in `sql`; None if it selects from input() instead.
    infile_at: int | None = None

    @property
    def reading(self) -> bool:
        """Leaves the session as it was and writes nothing."""
        return self.verb in READING

    @property
    def result_format(self) -> str | None:
        """The statement's own FORMAT, if it ends with one."""
        return None if self.data is not None else output(self.sql)[1] or None

    @property
    def selecting(self) -> bool:
        """A SELECT, whose answer the engine can write to a file."""
        return self.verb in _SELECTING and not _NOT_SELECTING.search(self.sql)


def parse(query: bytes, body: Sequence[bytes]) -> Statement:
    """The statement of a request: ClickHouse reads the `query` parameter, then the body after it.

    `body`: its pieces, as they came. Raises EngineError (62) for more than one statement.
    """
    if query and _verb(query) == b"INSERT":
        return _parse_insert(query, body)
    if len(body) > 1 and not query and _verb(body[0]) == b"INSERT":
        # Most often all but the data stands in the first piece; then the rest is not copied.
        insert = _parse_insert(body[0], ())
        if insert.data and insert.data[0]:
            return replace(insert, data=(*insert.data, *body[1:]))
    text = b"\n".join(part for part in (query, b"".join(body)) if part)
    verb = _verb(text)
    if verb == b"INSERT":
        return _parse_insert(text, ())
    _refuse_second(text)
    return Statement(verb, text)


def _verb(text: bytes) -> bytes:
    found = _BEFORE_FIRST_WORD.match(text)
    return found[1].upper() if found else b""


def _parse_insert(text: bytes, rest: Sequence[bytes]) -> Statement:
    selecting = False
    format_at = settings_at = 0
    before = b""
    for token in TOKEN.finditer(text):
        if token.lastgroup == "space":
            continue
        word = token[0].upper() if token.lastgroup == "word" else b""
        if format_at and word:
            sql = text[:format_at].rstrip()
            if selecting and not _INPUT.search(sql):
                break  # the FORMAT of a SELECT that takes no data
            start = _BEFORE_DATA.match(text, token.end())
            data = text[start.end() :] if start else b""
            infile_at = None if selecting else settings_at or len(sql)
            return Statement(b"INSERT", sql, (data, *rest), token[0], infile_at)
        is_name, before = before in _BEFORE_NAME, word or token[0]
        if is_name:
            continue
        format_at = token.start() if word == b"FORMAT" else 0
        if word == b"SETTINGS" and _ASSIGNMENT.match(text, token.end()):
            settings_at = settings_at or token.start()
        elif word in (b"SELECT", b"WITH"):
            selecting = True
        elif word in (b"VALUES", b"INFILE") and not selecting:
            break  # the engine's own parser reads the values (they may hold expressions)
    return Statement(b"INSERT", b"\n".join((text, b"".join(rest))))


def insert_into(table: str, data_format: str, data: bytes) -> Statement:
    """INSERT INTO `table` (a plain name) FORMAT `data_format`."""
    sql = f"INSERT INTO {table}".encode()
    return Statement(b"INSERT", sql, (data,), data_format.encode(), len(sql))


def with_file(statement: Statement, path: str) -> bytes:
    """The same INSERT, reading its data from a file; not for one that selects from input()."""
    sql, at = statement.sql, statement.infile_at
    if at is None:
        raise ValueError("it selects from input()")
    infile = b" FROM INFILE %s COMPRESSION 'none' " % quote(path).encode()
    return sql[:at] + infile + sql[at:] + b" FORMAT " + statement.data_format


def with_table(statement: Statement, table: str) -> tuple[str, Statement]:
    """An INSERT that selects from input(): the structure it names, and the same from `table`."""
    found = _INPUT.search(statement.sql)
    if found is None:
        raise ValueError("it does not select from input()")
    literal = found["structure"][1:-1].replace(b"''", b"'")
    structure = re.sub(rb"\\(.)", rb"\1", literal, flags=re.DOTALL)
    sql = statement.sql[: found.start()] + table.encode() + statement.sql[found.end() :]
    return structure.decode("utf-8", "surrogateescape"), Statement(b"INSERT", sql)


def _refuse_second(text: bytes) -> None:
    """chDB runs `a; b` as two; a server refuses it, and so a forgotten quote shows itself."""
    if b";" not in text.rstrip(b"; \t\r\n"):
        return
    ended = False
    for token in TOKEN.finditer(text):
        if token.lastgroup == "space":
            continue
        if token[0] == b";":
            ended = True
        elif ended:
            raise refused(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
