"""A table that was restored from a backup, and a topic that lives on: each event once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.clickhouse import ClickHouseServer
from tests.support.consumer import Consumer, NewConsumer, event, ids, produce, rows_arrive
from tests.support.forget import gaps, number

Events = list[dict[str, Any]]
_TABLES = ("events", "dead_letters", "erased_progress", "erased_sequences", "progress")


def some(first: int, count: int) -> Events:
    return [
        event(f"org-{seq % 7}", producer_id="p", seq=seq) for seq in range(first, first + count)
    ]


async def back_up(clickhouse: AsyncClient, name: str) -> None:
    tables = ", ".join(f"TABLE {table}" for table in _TABLES)
    await clickhouse.command(f"BACKUP {tables} TO File('{name}')")


async def restore(clickhouse: AsyncClient, name: str) -> None:
    """As docs/backup.md says."""
    for table in _TABLES:
        await clickhouse.command(f"TRUNCATE TABLE {table}")
        await clickhouse.command(f"RESTORE TABLE {table} FROM File('{name}')")


async def settle(consumer: Consumer) -> None:
    """Nothing of it is on the way: it stops by itself, and has committed."""
    await consumer.process.stop()
    assert consumer.process.returncode == 0


@pytest.fixture(scope="module")
async def clickhouse_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """BACKUP is not for everybody on the local engine's port."""
    server = ClickHouseServer(tmp_path_factory.mktemp("engine") / "data", unrestricted=True)
    await server.start()
    yield server.url
    await server.stop()


@pytest.mark.parametrize("killed", [False, True])
async def test_the_table_is_older_than_the_group(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    new_consumer: NewConsumer,
    killed: bool,
) -> None:
    """What came between the backup and the last commit is read again, and nothing twice."""
    before, between, after = some(0, 60), some(60, 60), some(120, 20)
    async with new_consumer("first", batch_max_rows=10) as first:
        await produce(kafka_bootstrap, topic, before)
        await rows_arrive(clickhouse, 60)
        await back_up(clickhouse, topic)
        await produce(kafka_bootstrap, topic, between)
        await rows_arrive(clickhouse, 120)
        await (first.process.kill() if killed else settle(first))
    await restore(clickhouse, topic)
    assert await number(clickhouse, "SELECT count() FROM events") == 60
    async with new_consumer("restored") as restored:
        await produce(kafka_bootstrap, topic, after)
        await rows_arrive(clickhouse, 140)
        await settle(restored)
        said = "\n".join(restored.process.output())
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in before + between + after)
    assert await gaps(clickhouse) == 0
    assert "the table lacks rows that were there (is it restored from a backup?)" in said
    async with new_consumer("again") as again:
        await again.ready()
        await settle(again)
        said = "\n".join(again.process.output())
    assert "lacks rows" not in said and "as committed" in said
    assert len(await ids(clickhouse)) == 140


async def test_the_table_is_newer_than_the_group(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """The group's offsets are of before, or gone: a group without any reads from what the table
    has, and not from the beginning."""
    before, after = some(0, 80), some(80, 20)
    async with new_consumer("first", batch_max_rows=10) as first:
        await produce(kafka_bootstrap, topic, before)
        await rows_arrive(clickhouse, 80)
        await settle(first)
    await back_up(clickhouse, topic)
    await restore(clickhouse, topic)
    other = {"variables": {"ACTIVITY_KAFKA_GROUP_ID": f"other-{topic}"}}
    async with new_consumer("restored", **other) as restored:
        await produce(kafka_bootstrap, topic, after)
        await rows_arrive(clickhouse, 100)
        await settle(restored)
        said = "\n".join(restored.process.output())
    assert "as ClickHouse has it" in said
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in before + after)
    assert await gaps(clickhouse) == 0


async def test_an_empty_table_under_a_group_that_has_read_all(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = some(0, 30)
    async with new_consumer("first") as first:
        await produce(kafka_bootstrap, topic, events)
        await rows_arrive(clickhouse, 30)
        await settle(first)
    await clickhouse.command("TRUNCATE TABLE events")
    async with new_consumer("anew") as anew:
        await rows_arrive(clickhouse, 30)
        await settle(anew)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
