"""A cluster of ClickHouse servers: only where ACTIVITY_TEST_CLUSTER names one that is there.

ACTIVITY_TEST_CLUSTER=NAME and ACTIVITY_TEST_CLUSTER_URL: a server of it, with Keeper, two replicas
or more.
"""

import os
import uuid

import pytest
from clickhouse_connect import get_async_client

from activity_consume.record import TopicPartition
from activity_consume.settings import ClickHouseSettings
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_deploy.migration_run import migrate
from tests.support.records import row

NAME = os.environ.get("ACTIVITY_TEST_CLUSTER", "")
URL = os.environ.get("ACTIVITY_TEST_CLUSTER_URL", "http://127.0.0.1:8123")


async def test_an_equal_block_goes_in_again_and_is_seen_at_once() -> None:
    if not NAME:
        pytest.skip("no ClickHouse servers with Keeper here: ACTIVITY_TEST_CLUSTER names none")
    settings = ClickHouseSettings(url=URL, cluster=NAME)
    database = f"test_{uuid.uuid4().hex}"
    async with await get_async_client(
        dsn=URL, settings=settings.session(), autogenerate_session_id=False
    ) as client:
        await migrate(client, database, cluster=NAME)
        try:
            client.database = database
            sink = ClickHouseSink(client, NAME)
            partition = TopicPartition("events", 0)
            lease = await sink.now_ms() + 60_000
            rows = [row(n) for n in range(100)]
            await sink.insert(partition, 0, lease, rows)
            await sink.insert(partition, 0, lease, rows)
            assert await sink.existing_offsets(partition, 0) == set(range(100))
            answer = await client.query("SELECT count() FROM events")
            assert answer.result_rows[0][0] == 200
            assert not await sink.is_inserting(partition)
        finally:
            on_cluster = f"ON CLUSTER `{NAME}`"
            await client.command(f"DROP DATABASE IF EXISTS {database} {on_cluster} SYNC")
