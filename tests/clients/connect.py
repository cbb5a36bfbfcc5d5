"""Talks to ClickHouse as clickhouse-connect does; says on one line what came of it."""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

_ROWS = 1000


def read(client: Client, sql: str) -> list[int]:
    """Count and sum of the rows."""
    count = total = 0
    with client.query_rows_stream(sql) as rows:
        for number, text in rows:
            assert text == str(number)
            count += 1
            total += number
    return [count, total]


def code(client: Client, sql: str) -> int:
    """Of the error that comes."""
    try:
        read(client, sql)
    except ClickHouseError as error:
        return getattr(error, "code", None) or -1
    return 0


def insert(client: Client) -> None:
    """As many rows as every program inserts."""
    day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = [
        [number, f"it's {number}", ["a", str(number)], None if number % 2 else "note", day]
        for number in range(_ROWS)
    ]
    client.insert("things", rows, column_names=["id", "name", "tags", "note", "day"])


def cancelled(client: Client, endless: str, query_id: str) -> bool:
    """By a KILL QUERY of another connection, as this client has no cancel of its own."""
    stopped: list[bool] = []

    def run() -> None:
        try:
            client.query(endless, settings={"query_id": query_id})
        except ClickHouseError as error:
            stopped.append("394" in str(error))

    running = threading.Thread(target=run)
    running.start()
    deadline = time.monotonic() + 60
    while running.is_alive() and time.monotonic() < deadline:
        client.command(f"KILL QUERY WHERE query_id = '{query_id}' ASYNC")
        running.join(0.5)
    return stopped == [True]


def main(*given: str) -> dict[str, Any]:
    """What came of it."""
    url, user, password, database, endless, big, late = given
    access: dict[str, Any] = {
        "dsn": url,
        "username": user,
        "password": password,
        "database": database,
    }
    client = clickhouse_connect.get_client(**access, autogenerate_session_id=False)
    packed = clickhouse_connect.get_client(**access, compress="zstd", autogenerate_session_id=False)
    version = str(client.server_version)
    said: dict[str, Any] = {"connect": ".".join(version.split(".")[:2])}
    parameters = {"number": 7, "text": "it's"}
    found = client.query("SELECT {number:UInt32}, {text:String}", parameters)
    said["parameters"] = list(found.result_rows[0])
    insert(client)
    insert(packed)
    said["inserted"] = 2 * _ROWS
    said["big"], said["big_packed"] = read(client, big), read(packed, big)
    said["error"] = code(client, "SELECT * FROM nowhere")
    said["error_packed"] = code(packed, "SELECT * FROM nowhere")
    said["late_error"] = code(client, late)
    said["cancelled"] = cancelled(client, endless, f"connect-cancel-{database}")
    client.close()
    packed.close()
    return said


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
