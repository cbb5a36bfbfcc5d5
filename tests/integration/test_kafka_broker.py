"""The broker of `make run` and of the tests, broken in the ways that later tests break it."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from activity_deploy.errors import UserError
from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.cluster import KafkaCluster
from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.process.ports import free_ports

TOPIC = Topic("events", 4, {"retention.ms": "86400000"})


async def produce(bootstrap_servers: str, *values: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, enable_idempotence=True, acks="all"
    ) as producer:
        for number, value in enumerate(values):
            await producer.send_and_wait("events", value, partition=number % TOPIC.partitions)


async def values(bootstrap_servers: str) -> list[bytes]:
    """All of the topic, sorted."""
    found: list[bytes] = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        partitions = [TopicPartition("events", number) for number in range(TOPIC.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        wanted = sum((await consumer.end_offsets(partitions)).values())
        while len(found) < wanted:
            found.append((await consumer.getone()).value)
    return sorted(found)


async def test_one_broker_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    async with KafkaBroker(tmp_path) as broker:
        address = broker.bootstrap_servers
        assert await create(address, [TOPIC, Topic("events.dlq", 1)]) == ["events", "events.dlq"]
        assert await create(address, [TOPIC]) == []
        await produce(address, b"a", b"b")
        await broker.kill()
        assert not broker.process.running
        await broker.restart()
        await produce(address, b"c")
        assert broker.bootstrap_servers == address
        assert await values(address) == [b"a", b"b", b"c"]
        await delete(address, ["events", "never-there"])
        await broker.stop()
        assert (broker.process.running, broker.process.returncode) == (False, 143)


async def test_a_topic_that_kafka_refuses_is_a_clear_error(kafka_bootstrap: str) -> None:
    with pytest.raises(UserError, match="does not create topic no/slashes"):
        await create(kafka_bootstrap, [Topic("no/slashes", 1)])
    with pytest.raises(UserError, match="Kafka at 127"):
        await create(f"127.0.0.1:{free_ports(1)[0]}", [TOPIC])


async def test_a_fresh_topic_for_each_test(kafka_bootstrap: str, topic: str) -> None:
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap) as consumer:
        assert consumer.partitions_for_topic(topic) == {0, 1, 2, 3}
        assert await consumer.topics() >= {topic, f"{topic}.dlq"}


async def test_a_broker_that_cannot_start_says_why(tmp_path: Path, kafka_bootstrap: str) -> None:
    taken = int(kafka_bootstrap.rsplit(":", 1)[1])
    with pytest.raises(UserError, match=r"Kafka ended with 1: .*Address already in use"):
        await KafkaBroker(tmp_path / "a", port=taken).start()
    with pytest.raises(UserError, match=r"Kafka cannot use .*Invalid value one for"):
        await KafkaBroker(tmp_path / "b", settings={"node.id": "one"}).start()


async def test_three_brokers_lose_one_and_no_event(tmp_path: Path) -> None:
    async with KafkaCluster(tmp_path) as cluster:
        await create(cluster.bootstrap_servers, [TOPIC])
        first, second, third = cluster.brokers
        await produce(cluster.bootstrap_servers, *(b"before %d" % n for n in range(8)))
        await first.kill()
        survivors = f"{second.bootstrap_servers},{third.bootstrap_servers}"
        await produce(survivors, *(b"while %d" % n for n in range(8)))
        await first.start()
        assert len(await values(cluster.bootstrap_servers)) == 16
