"""What a consumer does when something is killed, away, or not as it was. The seeded search for
more of these is tests/chaos."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import (
    Consumer,
    NewConsumer,
    event,
    ids,
    produce,
    rows_arrive,
)
from tests.support.wait import wait_until


async def test_the_engine_is_killed_and_comes_back(
    kafka_bootstrap: str, topic: str, database: str, new_consumer: NewConsumer, tmp_path: Path
) -> None:
    server = ClickHouseServer(tmp_path / "engine")
    await server.start()
    async with await connect(server.url, "default") as client:
        await migrate(client, database)
    events = [event(f"org-{number % 9}", seq=number) for number in range(400)]
    async with (
        await connect(server.url, database) as clickhouse,
        new_consumer(url=server.url) as consumer,
    ):
        await produce(kafka_bootstrap, topic, events[:100])
        await rows_arrive(clickhouse, 100)
        await server.kill()
        await produce(kafka_bootstrap, topic, events[100:200])
        await wait_until(lambda: consumer.page("/readyz", 503), 20, "it says what is wrong")
        await server.start()
        await rows_arrive(clickhouse, 200)
        await consumer.ready()
        await server.restart()
        await produce(kafka_bootstrap, topic, events[200:])
        await rows_arrive(clickhouse, 400)
        assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
    await server.stop()


async def test_a_killed_consumer_is_followed_by_another(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    events = [event(f"org-{number % 9}", seq=number) for number in range(3000)]
    async with new_consumer("killed", batch_max_rows=50) as killed:
        await produce(kafka_bootstrap, topic, events[:2000])
        await rows_arrive(clickhouse, 200)
        await killed.process.kill()
    async with new_consumer("next"):
        await produce(kafka_bootstrap, topic, events[2000:])
        await rows_arrive(clickhouse, 3000)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


@pytest.mark.parametrize("answer", ["stop", "continue"])
async def test_a_retention_gap_is_said(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
    answer: str,
) -> None:
    events = [event(seq=number) for number in range(30)]
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, events[:10])
        await rows_arrive(clickhouse, 10)
    await produce(kafka_bootstrap, topic, events[10:])
    partition = (await clickhouse.query("SELECT any(_partition) FROM events")).result_rows[0][0]
    async with _admin(kafka_bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(25)})
    async with new_consumer("second", on_retention_gap=answer) as second:
        if answer == "stop":
            last = await second.ended()
            assert second.process.returncode == 1
            assert "deleted 15 messages that were never read (offsets 10 to 24)" in last
        else:
            await rows_arrive(clickhouse, 15)
            assert len(await ids(clickhouse)) == 15


async def test_a_topic_created_anew_is_not_read_as_the_old_one(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, [event(seq=number) for number in range(10)])
        await rows_arrive(clickhouse, 10)
    await delete(kafka_bootstrap, [topic])
    await create(kafka_bootstrap, [Topic(topic, 4)])
    await produce(kafka_bootstrap, topic, [event(seq=number) for number in range(5)])
    async with new_consumer("second") as second:
        assert "the topic was created anew or cut off" in await second.ended()
        assert second.process.returncode == 1


@pytest.mark.parametrize("offsets", ["deleted", "to the begin", "to the end"])
async def test_reset_group_offsets_are_neither_read_again_nor_skipped(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
    offsets: str,
) -> None:
    events = [event(f"org-{number % 9}", seq=number) for number in range(200)]
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, events[:100])
        await rows_arrive(clickhouse, 100)
    await produce(kafka_bootstrap, topic, events[100:])
    await _reset(kafka_bootstrap, f"group-{topic}", topic, offsets)
    async with new_consumer("second"):
        await rows_arrive(clickhouse, 200)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)


async def _reset(bootstrap: str, group: str, topic: str, offsets: str) -> None:
    if offsets == "deleted":
        async with _admin(bootstrap) as admin:
            await wait_until(lambda: _delete_group(admin, group), 20, "the group is deleted")
        return
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(4)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.commit(
            {
                one: OffsetAndMetadata(0 if offsets == "to the begin" else ends[one], "")
                for one in partitions
            }
        )


async def _delete_group(admin: AIOKafkaAdminClient, group: str) -> bool:
    coordinator = await admin.find_coordinator(group)
    answer = await admin._send_request(DeleteGroupsRequest([group]), coordinator)
    [(_, code)] = answer.results
    return bool(code == 0)


@contextlib.asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    yield admin
    await admin.close()


async def test_a_refused_take_over_is_said_and_forgotten(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
) -> None:
    """Found by chaos: after a passing trouble an idle consumer stayed unready for ever."""
    await clickhouse.command("RENAME TABLE events TO away")
    async with new_consumer() as consumer:
        reason = await wait_until(lambda: consumer.page("/readyz", 503), 20, "it is not ready")
        await wait_until(
            lambda: _says(consumer, "events"), 20, f"not ready for a reason ({reason})"
        )
        await clickhouse.command("RENAME TABLE away TO events")
        await consumer.ready()


async def _says(consumer: Consumer, words: str) -> bool:
    return words in await consumer.page("/readyz", 503)
