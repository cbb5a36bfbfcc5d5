"""Where a SELECT says what becomes of its answer: FORMAT, and INTO OUTFILE before it."""

import re

from activity_deploy.clickhouse.connections import quote
from activity_deploy.clickhouse.tokens import TOKEN

_LAST_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)[\s;]*$", re.IGNORECASE)
_TAIL_BYTES = 200
# Where none of these is, the last characters are what they seem to be.
_COMMENTS = (b"--", b"#", b"/*")
_FORMAT = re.compile(rb"\bformat\b", re.IGNORECASE)
#: As it stands in the statement; the number is the descriptor's.
INTO_PIPE = "INTO OUTFILE '/(?:proc/self|dev)/fd/[0-9]+' APPEND COMPRESSION 'none'"


def output(sql: bytes) -> tuple[int, str]:
    """Where INTO OUTFILE belongs in a statement, and its FORMAT or ''."""
    has_comments = any(mark in sql for mark in _COMMENTS)
    if not has_comments:
        found = _LAST_FORMAT.search(sql, max(0, len(sql) - _TAIL_BYTES))
        if found:
            return found.start(), found[1].decode()
        if not _FORMAT.search(sql):
            return len(sql.rstrip(b"; \t\r\n")), ""
    return _read(sql)


def into_file(sql: bytes, path: str) -> bytes:
    """The same statement, with its answer written to a file that is there already."""
    at, _ = output(sql)
    into = b"\nINTO OUTFILE %s APPEND COMPRESSION 'none'\n" % quote(path).encode()
    return sql[:at] + into + sql[at:]


def _read(sql: bytes) -> tuple[int, str]:
    end = at = depth = 0
    name = before = state = b""  # what came last: FORMAT, a name after it, SETTINGS after that
    for token in TOKEN.finditer(sql):
        if token.lastgroup == "space" or token[0] == b";":
            continue
        depth += {b"(": 1, b")": -1}.get(token[0], 0)
        word = token[0].upper() if token.lastgroup == "word" else b""
        if state == b"FORMAT" and word:
            name, state = token[0], b"name"
        elif word == b"FORMAT" and not depth and before != b".":
            at, state = token.start(), word
        elif state != b"SETTINGS":
            state = word if state == b"name" and word == b"SETTINGS" else b""
        before, end = token[0], token.end()
    return (at, name.decode()) if state in (b"name", b"SETTINGS") else (end, "")
