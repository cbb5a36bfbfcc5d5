"""Tells readers of the feed how far each partition is settled, by offset."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.errors import first_line
from activity_consume.health import Health, Part
from activity_consume.record import TopicPartition

# Half of what the watermark takes: it is what a live tail waits for.
_EVERY_SECONDS = 0.5
# What a former owner that was stopped for a while tells when it wakes up does not stand for longer.
_AGAIN_SECONDS = 10.0


class SettledOffsets:
    """The table `settled_offsets`: its latest row of a partition counts, whatever the earlier ones
    say. Everything raises ClickHouseError. `clock`: seconds, monotonic."""

    def __init__(self, client: AsyncClient, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._told: dict[TopicPartition, tuple[int, float]] = {}

    async def tell(self, settled: Mapping[TopicPartition, int]) -> None:
        """All below these offsets is in the table. What was told is told again after 10 s."""
        now = self._clock()
        news = {
            one: offset for one, offset in settled.items() if not self._stands(one, offset, now)
        }
        if not news:
            return
        rows = [(one.label, one.partition, offset) for one, offset in news.items()]
        await self._client.insert("settled_offsets", rows, _COLUMNS, settings={"async_insert": 0})
        self._told |= {one: (offset, now) for one, offset in news.items()}

    async def take_over(self, partition: TopicPartition, offset: int) -> None:
        """To be told before anything more is written, also if it is less than before: then the
        table has lost rows, which will be read once more, and no reader may pass them."""
        self._told.pop(partition, None)
        await self.tell({partition: offset})

    def _stands(self, partition: TopicPartition, offset: int, now: float) -> bool:
        told, at = self._told.get(partition, (-1, 0.0))
        return told == offset and now - at < _AGAIN_SECONDS


class SettledReporter:
    """Tells twice a second what has moved."""

    def __init__(
        self,
        offsets: SettledOffsets,
        settled: Callable[[], Mapping[TopicPartition, int]],
        health: Health,
    ) -> None:
        """`settled`: of each partition held, the offset below which all is in the table."""
        self._offsets = offsets
        self._settled = settled
        self._health = health

    async def run(self) -> None:
        """Until cancelled. While ClickHouse is away there is nothing new to tell."""
        while True:
            try:
                await self._offsets.tell(self._settled())
                self._health.recovered("settled")
            except ClickHouseError as error:
                text = f"ClickHouse: settled offsets: {first_line(error)}"
                self._health.failed("settled", Part.CLICKHOUSE, text)
            await asyncio.sleep(_EVERY_SECONDS)


_COLUMNS = ["topic", "partition", "offset"]
