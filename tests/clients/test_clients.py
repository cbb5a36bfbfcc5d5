"""Each client that others talk to ClickHouse with, as its package has it: docs/clients.md.

`make test` tries the one that needs no making, `make test-clients` all of them.
"""

import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.clients.programs import BIG, CLIENTS, Client
from tests.support.clickhouse import connect
from tests.support.wait import wait_until

ALL = os.environ.get("ACTIVITY_TEST_ALL_CLIENTS") == "1"
TRIED = [client for client in CLIENTS if client.quick or ALL]
# What comes behind the first rows is an error in every client; these do not read which.
NO_LATE_CODE = ("java",)


@dataclass(frozen=True, slots=True)
class Talk:
    """What a client said, and where."""

    client: Client
    database: str
    said: dict[str, Any]
    clickhouse: AsyncClient

    async def value(self, sql: str) -> Any:
        return (await self.clickhouse.query(sql)).result_rows[0][0]


@pytest.fixture(scope="module", params=TRIED, ids=lambda client: client.name)
async def talk(clickhouse_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    client: Client = request.param
    if client.missing:
        pytest.skip(
            f"{client.name} is made with {client.missing}, which this machine does not have"
        )
    await client.make()
    database = f"clients_{uuid.uuid4().hex}"
    async with await connect(clickhouse_url, "default") as clickhouse:
        await clickhouse.command(f"CREATE DATABASE {database}")
        await clickhouse.command(
            f"CREATE TABLE {database}.things (id UInt64, name String, tags Array(String),"
            " note Nullable(String), day DateTime('UTC')) ENGINE = MergeTree ORDER BY id"
        )
        said = await client.talk(clickhouse_url, database)
        yield Talk(client, database, said, clickhouse)
        await clickhouse.command(f"DROP DATABASE {database} SYNC")


async def test_it_connects(talk: Talk) -> None:
    version = await talk.value("SELECT version()")
    assert talk.said["connect"] == ".".join(version.split(".")[:2])


async def test_it_asks_with_parameters(talk: Talk) -> None:
    assert talk.said["parameters"] == [7, "it's"]


async def test_it_inserts(talk: Talk) -> None:
    found = await talk.clickhouse.query(
        "SELECT count(), countIf(name = concat('it\\'s ', toString(id))), countIf(note IS NULL),"
        f" uniqExact(id), any(toUnixTimestamp(day)) FROM {talk.database}.things"
    )
    count = talk.said["inserted"]
    assert count >= 1000
    assert found.result_rows == [(count, count, count // 2, 1000, 1767323045)]


async def test_it_reads_a_big_answer(talk: Talk) -> None:
    found = await talk.clickhouse.query(f"SELECT count(), sum(number) FROM ({BIG})")
    expected = list(found.result_rows[0])
    assert talk.said["big"] == talk.said["big_packed"] == expected


async def test_it_is_told_an_error(talk: Talk) -> None:
    assert talk.said["error"] == talk.said["error_packed"] == 60


async def test_it_is_told_one_that_comes_late(talk: Talk) -> None:
    expected = -1 if talk.client.name in NO_LATE_CODE else 395
    assert talk.said["late_error"] == expected


async def test_it_stops_a_query(talk: Talk) -> None:
    assert talk.said["cancelled"] is True
    assert talk.said.get("timed_out", 159) == 159

    async def are_gone() -> bool:
        sql = "SELECT count() FROM system.processes WHERE current_database = {name:String}"
        found = await talk.clickhouse.query(sql, {"name": talk.database})
        return found.result_rows == [(0,)]

    await wait_until(are_gone, 60, "its queries are gone")
