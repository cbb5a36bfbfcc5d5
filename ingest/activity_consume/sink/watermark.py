"""Tells readers how far the table is: what Kafka had accepted at an instant is all there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.errors import GapError, first_line
from activity_consume.health import Part
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.incarnations import Incarnation
from activity_consume.sink.settled_offsets import SettledOffsets

_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watermark:
    """At `at_ms` (Unix, the ClickHouse server's clock) the partition ended at `end`, and the topic
    had so many partitions."""

    at_ms: int
    end: int
    partitions: int


class Watermarks:
    """One mark per partition at a time; passed when all before it is settled. No I/O."""

    def __init__(self) -> None:
        self._open: dict[TopicPartition, Watermark] = {}

    def set(self, ends: Mapping[TopicPartition, int], at_ms: int, partitions: int) -> None:
        """Where there is none; `ends`, and then `partitions`, were asked of the brokers after
        `at_ms`, so they cover all before it."""
        for partition, end in ends.items():
            self._open.setdefault(partition, Watermark(at_ms, end, partitions))

    def passed(
        self, settled: Mapping[TopicPartition, int]
    ) -> list[tuple[TopicPartition, Watermark]]:
        """The partitions that are past their mark; these are done with.
        Partitions that are no longer here are forgotten."""
        self._open = {one: mark for one, mark in self._open.items() if one in settled}
        done = [one for one, mark in self._open.items() if settled[one] >= mark.end]
        return [(one, self._open.pop(one)) for one in done]


class WatermarkReporter:
    """Writes a row for each partition about every second."""

    def __init__(
        self,
        client: AsyncClient,
        sink: ClickHouseSink,
        settled: Callable[[], Mapping[TopicPartition, int]],
        topic: Callable[[], Awaitable[Incarnation]],
        *,
        kafka: KafkaLog,
        stats: Stats,
        offsets: SettledOffsets,
    ) -> None:
        """`settled`: of each partition held, the offset below which all is in the table. `topic`:
        as the brokers know it when they are asked; raises GapError where it is another one."""
        self._client = client
        self._sink = sink
        self._kafka = kafka
        self._stats = stats
        self._settled = settled
        self._topic = topic
        self._offsets = offsets
        self._marks = Watermarks()

    async def run(self) -> None:
        """Until cancelled. While Kafka or ClickHouse is away there is no progress to tell."""
        while True:
            try:
                await self._report()
                self._stats.health.recovered("progress")
            except GapError:
                return  # the consumer stops, and says why
            except KafkaError as error:
                text = f"Kafka: where the topic ends: {first_line(error)}"
                self._stats.health.failed("progress", Part.KAFKA, text)
            except ClickHouseError as error:
                text = f"ClickHouse: progress: {first_line(error)}"
                self._stats.health.failed("progress", Part.CLICKHOUSE, text)
            await asyncio.sleep(_EVERY_SECONDS)

    async def _report(self) -> None:
        partitions = list(self._settled())
        if not partitions:
            return
        labels = {one: one.label for one in partitions}
        at_ms = await self._sink.now_ms()
        # Where the log ends, and not how far it can be read: what has been acknowledged behind an
        # open transaction is not in the table yet.
        ends = await self._kafka.ends(partitions)
        self._stats.behind(ends, self._settled())
        # After the ends: then the ends were this topic's, and whatever partition is added later was
        # not there at `at_ms`, so it is no lie that nothing of it is covered.
        count = (await self._topic()).partitions
        self._marks.set(ends, at_ms, count)
        settled = self._settled()
        # First, or a reader of the feed would be told of an instant that its end is not at yet.
        await self._offsets.tell(settled)
        rows = []
        for partition, mark in self._marks.passed(settled):
            self._stats.complete(partition, mark.at_ms, at_ms)
            through = datetime.fromtimestamp(mark.at_ms / 1000, UTC)
            rows.append((labels[partition], partition.partition, mark.partitions, through))
        if rows:
            await self._client.insert("progress", rows, _COLUMNS, settings={"async_insert": 0})


_COLUMNS = ["topic", "partition", "partitions", "complete_through"]
