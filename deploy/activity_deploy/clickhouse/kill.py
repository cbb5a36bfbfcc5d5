"""KILL QUERY's answer, in which a client reads which of its queries were stopped."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from activity_deploy.clickhouse.connections import MARK, Connection, quote
from activity_deploy.clickhouse.output_clause import INTO_PIPE, output

_COLUMNS = ("kill_status", "query_id", "user", "query")
_OF_QUERIES = re.compile(rb"\s*KILL\s+QUERY\b", re.IGNORECASE)
_INTO_PIPE = re.compile(rf"\s*{INTO_PIPE}\s?")


def kill(connection: Connection, sql: bytes, answer: str, ids: Mapping[str, str]) -> Any:
    """Run a KILL; its rows name the clients' ids. `ids`: by connection. Raises what chDB raises."""
    query = connection.chdb.query
    if not _OF_QUERIES.match(sql):
        return query(sql, answer)
    at, own_format = output(sql)
    running = f"FROM system.processes SELECT query_id, Settings[{quote(MARK)}]"
    engines = {own: ids.get(mark) for own, mark in _rows(query(running, "JSONCompactEachRow"))}
    killed = _rows(query(sql[:at], "JSONCompactEachRow"))
    rows = [
        (status, engines.get(own) or own, user, _INTO_PIPE.sub("", text))
        for status, own, user, text in killed
    ]
    columns = ", ".join(f"row.{n} AS {name}" for n, name in enumerate(_COLUMNS, start=1))
    values = ", ".join(f"({', '.join(map(quote, row))})" for row in rows or [("",) * 4])
    shown = f"WITH arrayJoin([{values}]) AS row SELECT {columns} LIMIT {len(rows)}"
    return query(shown, own_format or answer)


def _rows(result: Any) -> list[Any]:
    return [orjson.loads(line) for line in bytes(result.bytes() or b"").splitlines()]
