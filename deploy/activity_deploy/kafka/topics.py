"""Topics: made with the partition count that is wanted, before anybody uses them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from activity_deploy.errors import UserError
from activity_kafka.dead_letters import MAX_DEAD_LETTER_BYTES
from activity_kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Topic:
    """`configuration`: Kafka's topic settings."""

    name: str
    partitions: int
    configuration: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise UserError(f"Kafka at {bootstrap_servers}: {error}") from error
    finally:
        await client.close()


# As docs/operate.md advises: what is to be forgotten must not be kept for ever (docs/privacy.md).
_DEAD_LETTERS_MS = 90 * 24 * 3600 * 1000


def event_topics(names: KafkaSettings, partitions: int) -> list[Topic]:
    """The events' topic and the one of the dead letters, which keeps them for 90 days."""
    kept = {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES), "retention.ms": str(_DEAD_LETTERS_MS)}
    return [
        Topic(names.topic, partitions),
        Topic(names.dead_letter_topic, partitions, kept),
    ]


async def create(bootstrap_servers: str, topics: Sequence[Topic]) -> list[str]:
    """The names of those that did not exist; each with three replicas, where there are as many
    brokers. Raises UserError: Kafka away, or it refuses one."""
    async with _admin(bootstrap_servers) as client:
        return await create_missing(client, topics)


async def create_missing(client: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
    """`create` by a client that is there. Raises KafkaError, and UserError for a refusal."""
    replicas = min(3, len((await client.describe_cluster())["brokers"]))
    wanted = [
        NewTopic(t.name, t.partitions, replicas, topic_configs=dict(t.configuration))
        for t in topics
    ]
    answer = await client.create_topics(wanted)
    created = []
    for name, code, text in answer.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TopicAlreadyExistsError.errno:
            raise UserError(
                f"Kafka does not create topic {name}: {text or for_code(code).__name__}"
            )
    return created


async def delete(bootstrap_servers: str, names: Sequence[str]) -> None:
    """Those that do not exist are passed over. Raises UserError where Kafka is away."""
    async with _admin(bootstrap_servers) as client:
        await client.delete_topics(list(names))
