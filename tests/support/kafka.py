"""Kafka for tests: one broker for all of them, a topic for each.

Tests that stop, kill or starve a broker start their own: `KafkaBroker(tmp_path)`, `KafkaCluster`.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.cluster import KafkaCluster
from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.process.ports import HOST, free_ports
from tests.support.backend import use_docker
from tests.support.images import image
from tests.support.wait import wait_until

__all__ = ["PARTITIONS", "KafkaBroker", "KafkaCluster", "kafka_bootstrap", "topic"]

PARTITIONS = 4


@pytest.fixture(scope="session")
async def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """`host:port` of a broker."""
    if use_docker():
        with _container() as address:
            await wait_until(lambda: _answers(address), 120, "Kafka answers")
            yield address
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


@contextlib.contextmanager
def _container() -> Iterator[str]:
    """As in compose.yaml, with the same port inside and outside: it is what it advertises."""
    name = image("KAFKA")
    from testcontainers.core.container import DockerContainer

    [port] = free_ports(1)
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "CLIENT",
        "KAFKA_LISTENERS": f"CLIENT://:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENT://{HOST}:{port}",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_LOG_RETENTION_MS": "-1",
    }
    container = DockerContainer(name).with_bind_ports(port, port)
    for variable, value in environment.items():
        container = container.with_env(variable, value)
    with container:
        yield f"{HOST}:{port}"


async def _answers(address: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(*address.split(":"))
    except OSError:
        return False
    # A published port is open before anybody listens behind it: ask for something (ApiVersions).
    writer.write(bytes.fromhex("0000000a00120000000000010000"))
    try:
        return bool(await asyncio.wait_for(reader.read(1), 2))
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
