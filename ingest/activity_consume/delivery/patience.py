"""Waiting for Kafka or ClickHouse on behalf of a partition, and saying so meanwhile."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.retry import keep_trying

T = TypeVar("T")

LONGEST_PAUSE_S = 5.0


class Patience:
    """Of one partition, which stands still meanwhile; nothing is lost."""

    def __init__(self, partition: TopicPartition, stats: Stats) -> None:
        self._partition = partition
        self._stats = stats

    async def wait_for(
        self,
        what: str,
        attempt: Callable[[], Awaitable[T]],
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> T:
        """The answer of `attempt`, which is called again while it raises KafkaError or
        ClickHouseError. `what`: in a few words, for the readiness page. Any other error is raised
        at once."""
        answer = await keep_trying(
            attempt, lambda error: self._stats.failed(self._partition, what, error), longest_pause_s
        )
        self._stats.recovered(self._partition)
        return answer
