"""The topic of the events: what it still has of whom, for how long, and deleting it at once."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.brokers.topic_configuration import configuration
from activity_consume.brokers.topic_metadata import describe
from activity_consume.delivery.lease import Lease
from activity_consume.erasure.rules import Rules
from activity_consume.record import TopicPartition
from activity_consume.sink.incarnations import Incarnations
from activity_deploy.forget.topics import Found, judge_event, look


@dataclass(frozen=True, slots=True)
class Retention:
    """What Kafka does by itself. `ms` -1: it keeps a message for ever."""

    ms: int

    def until(self, youngest_ms: int) -> datetime | None:
        """When a message of that time (Unix) may be read no more; None: never."""
        if self.ms < 0:
            return None
        return datetime.fromtimestamp((youngest_ms + self.ms) / 1000, UTC)


class EventsTopic:
    """Everything raises KafkaError."""

    def __init__(
        self, topic: str, group_id: str, log: KafkaLog, admin: AIOKafkaAdminClient
    ) -> None:
        self._topic = topic
        self._group_id = group_id
        self._log = log
        self._admin = admin

    async def look(self, rules: Rules) -> dict[TopicPartition, Found]:
        """What each partition has of what the rules cover: reads the whole topic."""
        count = (await describe(self._admin, self._topic)).partitions
        partitions = [TopicPartition(self._topic, number) for number in range(count)]
        judge = judge_event(rules)
        return {one: await look(self._log, one, judge) for one in partitions}

    async def retention(self) -> Retention:
        found = (await configuration(self._admin, self._topic)).values
        if "delete" not in found.get("cleanup.policy", "delete"):
            return Retention(-1)
        return Retention(int(found.get("retention.ms", "-1")))

    async def delete_records(
        self, found: dict[TopicPartition, Found], client: AsyncClient
    ) -> dict[TopicPartition, int]:
        """All up to the last of them, everybody's; but never what is not in the table yet. How
        many offsets short of the last one it ends, by partition. Raises ClickHouseError, too."""
        known = await Incarnations(client).latest(self._topic)
        generation = known.generation if known else 0
        wanted = [one for one, of in found.items() if of.count]
        if not wanted:
            return {}
        committed = await self._admin.list_consumer_group_offsets(self._group_id, partitions=wanted)
        short: dict[TopicPartition, int] = {}
        for one in wanted:
            commit, end = committed.get(one), found[one].last + 1
            ours = commit and Lease.decode(commit.metadata or "", generation)
            settled = commit.offset if commit and ours else 0
            short[one] = max(0, end - settled)
            if (end := min(end, settled)) > 0:
                # What is gone was settled, whatever happens to the group.
                label = TopicPartition(one.topic, one.partition, generation).label
                await client.insert(
                    "erased_progress",
                    [(label, one.partition, end, end - 1)],
                    ["topic", "partition", "base_offset", "last_offset"],
                    settings={"async_insert": 0},
                )
                await self._admin.delete_records({one: RecordsToDelete(end)})
        return short
