"""A topic's configuration, as the brokers have it."""

from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


class Configuration(NamedTuple):
    """`code` 0: `values` are all there are; else Kafka's error, in `text` its words."""

    code: int
    text: str | None
    values: dict[str, str]


async def configuration(admin: AIOKafkaAdminClient, topic: str) -> Configuration:
    """Raises KafkaError where no broker answers."""
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    [(code, text, _, _, entries)] = answer.resources
    return Configuration(code, text, {name: value or "" for name, value, *_ in entries})
