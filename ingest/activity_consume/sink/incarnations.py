"""Which topic was read under a name, as the table `topic_incarnations` keeps it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """`changed_at_ms`: Unix, when the count of partitions was last seen to be another one than
    `partitions_before`, or when this one was accepted; 0: never. An id is '' where the brokers tell
    none."""

    topic: str
    generation: int
    cluster_id: str
    topic_id: str
    partitions: int
    partitions_before: int = 0
    changed_at_ms: int = 0


class Incarnations:
    """Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def latest(self, topic: str) -> Incarnation | None:
        """The one that is read now; None: no consumer has seen the topic yet."""
        result = await self._client.query(
            "SELECT generation, cluster_id, topic_id, partitions, partitions_before,"
            " toUnixTimestamp64Milli(changed_at) FROM topic_incarnations"
            " WHERE topic = {t:String} ORDER BY generation DESC, recorded_at DESC LIMIT 1",
            {"t": topic},
        )
        return Incarnation(topic, *result.result_rows[0]) if result.result_rows else None

    async def record(self, one: Incarnation) -> None:
        """Replaces the row of its generation. Two consumers may do it at once."""
        changed_at = _EPOCH + timedelta(milliseconds=one.changed_at_ms)
        row = (
            *(one.topic, one.generation, one.cluster_id, one.topic_id),
            *(one.partitions, one.partitions_before, changed_at),
        )
        await self._client.insert(
            "topic_incarnations", [row], _COLUMNS, settings={"async_insert": 0}
        )

    async def partitions_told(self, topic: str) -> int:
        """How many partitions the topic had when progress was last told, 0 if that is not known."""
        result = await self._client.query(
            "SELECT argMax(partitions, complete_through) FROM progress WHERE topic = {t:String}",
            {"t": topic},
        )
        return int(result.result_rows[0][0])


_COLUMNS = [
    *("topic", "generation", "cluster_id", "topic_id"),
    *("partitions", "partitions_before", "changed_at"),
]
