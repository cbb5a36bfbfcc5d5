"""Kafka for tests: one broker for all of them, a topic for each.

Tests that stop, kill or starve a broker start their own: `KafkaBroker(tmp_path)`, `KafkaCluster`.
"""

import uuid
from collections.abc import AsyncIterator

import pytest

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.cluster import KafkaCluster
from activity_deploy.kafka.topics import Topic, create, delete
from tests.support.backend import use_docker

__all__ = ["PARTITIONS", "KafkaBroker", "KafkaCluster", "kafka_bootstrap", "topic"]

PARTITIONS = 4


@pytest.fixture(scope="session")
async def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """`host:port` of a broker."""
    if use_docker():
        from testcontainers.community.kafka import KafkaContainer

        with KafkaContainer().with_kraft() as container:
            yield container.get_bootstrap_server()
        return
    async with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap_servers


@pytest.fixture
async def topic(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A new topic of 4 partitions; `<topic>.dlq` beside it."""
    name = f"events-{uuid.uuid4().hex[:12]}"
    topics = [Topic(name, PARTITIONS), Topic(f"{name}.dlq", PARTITIONS)]
    await create(kafka_bootstrap, topics)
    yield name
    await delete(kafka_bootstrap, [topic.name for topic in topics])
