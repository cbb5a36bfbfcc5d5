"""The clients' ids of queries, in SQL: the engine here gives each query an id of its own.

What a statement finds under `query_id` in `system.processes`, and what KILL QUERY compares with, is
put in its place as an expression: a connection's name, which the engine shows, stands for the id.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from activity_deploy.clickhouse.connections import MARK, quote
from activity_deploy.clickhouse.output_clause import INTO_PIPE
from activity_deploy.clickhouse.statement import Statement
from activity_deploy.clickhouse.tokens import TOKEN

# Most statements have none of these words, and are not read any further.
_MENTIONED = re.compile(rb"query_?id|processlist|\bprocesses\b", re.IGNORECASE)
_PROCESSLIST = re.compile(rb"^\s*SHOW\s+(?:FULL\s+)?PROCESSLIST\b", re.IGNORECASE)
_IDS = (b"query_id", b"initial_query_id")
_FUNCTIONS = (b"queryid", b"query_id", b"initialqueryid", b"initial_query_id")
# After the table's name these are no alias of it.
_AFTER_TABLE = frozenset(
    b"WHERE PREWHERE GROUP ORDER LIMIT FORMAT SETTINGS JOIN INNER LEFT RIGHT FULL CROSS ANY ALL"
    b" ASOF GLOBAL SEMI ANTI ARRAY PASTE UNION EXCEPT INTERSECT HAVING WINDOW QUALIFY OFFSET FETCH"
    b" FINAL SAMPLE ON USING INTO SELECT NATURAL".split()
)


def resolved(statement: Statement, own_id: str, ids: Mapping[str, str]) -> Statement:
    """The statement with the clients' ids in it. `ids`: of running queries, by connection."""
    sql = statement.sql
    if not _MENTIONED.search(sql):
        return statement
    if statement.verb == b"KILL":
        return replace(statement, sql=b"".join(_killing(sql, ids)))
    if found := _PROCESSLIST.search(sql):
        sql = b"SELECT * FROM system.processes" + sql[found.end() :]
        return Statement(b"SELECT", b"".join(_reading(sql, own_id, ids)))
    if statement.reading:
        return replace(statement, sql=b"".join(_reading(sql, own_id, ids)))
    return statement


def _id_of(column: str, ids: Mapping[str, str]) -> str:
    if not ids:
        return column
    connections = ", ".join(map(quote, ids))
    names = ", ".join(map(quote, ids.values()))
    return f"transform(Settings[{quote(MARK)}], [{connections}], [{names}], {column})"


def _query() -> str:
    """The text as the client sent it, without where we let the answer go."""
    return f"replaceRegexpOne(query, {quote(rf'[[:space:]]*{INTO_PIPE}[[:space:]]?')}, '')"


def _killing(sql: bytes, ids: Mapping[str, str]) -> Iterator[bytes]:
    is_condition = False
    for token in TOKEN.finditer(sql):
        name = token[0].strip(b'`"').lower()
        if is_condition and token.lastgroup in ("word", "quoted") and name in (*_IDS, b"query"):
            text = _id_of(name.decode(), ids) if name in _IDS else _query()
            yield text.encode()
        else:
            yield token[0]
        is_condition = is_condition or token[0].upper() == b"WHERE"


def _reading(sql: bytes, own_id: str, ids: Mapping[str, str]) -> Iterator[bytes]:
    tokens = [(found.lastgroup or "", found[0]) for found in TOKEN.finditer(sql)]
    meant = [number for number, (kind, _) in enumerate(tokens) if kind != "space"]
    texts = [tokens[number][1] for number in meant]
    names = [text.strip(b'`"').lower() for text in texts]
    at = 0
    for place in range(len(meant)):
        if meant[place] < at:
            continue
        yield from (text for _, text in tokens[at : meant[place]])
        at = meant[place] + 1
        before = texts[place - 1].upper() if place else b""
        if before in (b"FROM", b"JOIN", b",") and names[place : place + 3] == [
            *(b"system", b".", b"processes")
        ]:
            after = texts[place + 3].upper() if place + 3 < len(texts) else b";"
            at = meant[place + 2] + 1
            yield _processes(ids)
            if after in _AFTER_TABLE or not (
                after == b"AS" or after[:1].isalpha() or after[:1] in b'`"'
            ):
                yield b" AS processes"
        elif names[place] in _FUNCTIONS and texts[place + 1 : place + 3] == [b"(", b")"]:
            at = meant[place + 2] + 1
            yield quote(own_id).encode()
        else:
            yield texts[place]
    yield from (text for _, text in tokens[at:])


def _processes(ids: Mapping[str, str]) -> bytes:
    changed = [f"{_id_of(name.decode(), ids)} AS {name.decode()}" for name in _IDS]
    columns = ", ".join([*changed, f"{_query()} AS query"])
    return b"(SELECT * REPLACE (" + columns.encode() + b") FROM system.processes)"
