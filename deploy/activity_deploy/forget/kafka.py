"""What the commands that forget need of Kafka; nothing where events travel without it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka.errors import UnknownTopicOrPartitionError

from activity_consume.brokers.topic_metadata import describe
from activity_consume.record import TopicPartition
from activity_deploy.clients import kafka_admin, kafka_log, kafka_producer
from activity_deploy.errors import UserError
from activity_deploy.forget.dead_letter_topic import DeadLetterTopic
from activity_deploy.forget.events_topic import EventsTopic
from activity_kafka.settings import KafkaSettings, TransportSettings


@dataclass(frozen=True, slots=True)
class Topics:
    """Both, and the partitions of the dead letters' (none where there is no such topic)."""

    events: EventsTopic
    dead_letters: DeadLetterTopic
    of_dead_letters: list[TopicPartition]


@contextlib.asynccontextmanager
async def topics() -> AsyncIterator[Topics | None]:
    """None: the services' spools are read directly. Raises UserError, also for what Kafka answers
    in the context."""
    if TransportSettings().transport != "kafka":
        yield None
        return
    settings = KafkaSettings()
    async with (
        kafka_log("activity-erase") as log,
        kafka_admin("activity-erase") as admin,
        kafka_producer("activity-erase") as producer,
    ):
        if not (await describe(admin, settings.topic)).partitions:
            raise UserError(
                f"topic {settings.topic} does not exist; is ACTIVITY_KAFKA_TOPIC right?"
            )
        with contextlib.suppress(UnknownTopicOrPartitionError):
            await log.lookup([settings.topic, settings.dead_letter_topic])
        count = (await describe(admin, settings.dead_letter_topic)).partitions
        yield Topics(
            EventsTopic(settings.topic, settings.group_id, log, admin),
            DeadLetterTopic(log, admin, producer),
            [TopicPartition(settings.dead_letter_topic, number) for number in range(count)],
        )
