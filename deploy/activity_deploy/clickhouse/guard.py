"""Statements that name a file in a way the engine asks no grant for.

A grant or the kernel (landlock.py) stops everything else. These three run in the client's part of
chDB, or rename a folder, inside the data directory, too.
"""

import re
from collections.abc import Iterator

from activity_deploy.clickhouse.errors import EngineError, refused
from activity_deploy.clickhouse.statement import Statement
from activity_deploy.clickhouse.tokens import TOKEN

# Most statements have none of these words, and are not read any further.
_SUSPICIOUS = re.compile(rb"infile|outfile|attach|\bfile\b|\\x", re.IGNORECASE)
_FILE_IN_TEXT = re.compile(rb"\bfile\b[^,;]*\(|\\x", re.IGNORECASE | re.DOTALL)
_LITERALS = (b"'", b"$")


def check(statement: Statement, *, files_are_confined: bool) -> None:
    """Raises EngineError (497). `files_are_confined`: the kernel sees to the function `file()`."""
    sql = statement.sql
    if statement.verb == b"SYSTEM":
        raise _denied("SYSTEM")
    if _SUSPICIOUS.search(sql):
        _check_tokens(sql, files_are_confined)


def check_text(text: str, *, files_are_confined: bool) -> None:
    """The same for a piece of a statement, such as a table's structure; it must be one piece."""
    tokens = list(_tokens(text.encode()))
    if b";" in tokens:
        raise refused(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
    _check_tokens(text.encode(), files_are_confined)


def _check_tokens(sql: bytes, files_are_confined: bool) -> None:
    is_attaching = False
    before: tuple[bytes, bytes] = (b"", b"")
    for token in _tokens(sql):
        word = token.upper()
        if token[:1] in _LITERALS:
            if before in ((b"FROM", b"INFILE"), (b"INTO", b"OUTFILE")):
                raise _denied(b" ".join(before).decode())
            if is_attaching and before[1] == b"FROM":
                raise _denied("ATTACH ... FROM a path")
            if not files_are_confined and _FILE_IN_TEXT.search(token):
                raise _denied("file() in a text")
        elif not files_are_confined and token.strip(b'`"') == b"file" and before[1] != b".":
            raise _denied("file()")
        is_attaching = is_attaching or word == b"ATTACH"
        before = before[1], word


def _tokens(sql: bytes) -> Iterator[bytes]:
    return (found[0] for found in TOKEN.finditer(sql) if found.lastgroup != "space")


def _denied(what: str) -> EngineError:
    text = (
        f"{what} is not allowed here; --unrestricted or ACTIVITY_CLICKHOUSE_UNRESTRICTED allows it"
    )
    return refused(497, "ACCESS_DENIED", text)
