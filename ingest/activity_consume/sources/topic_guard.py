"""Sees that the topic is the one whose rows are in the table, and how many partitions it has.

A topic that was created anew, or one of a cluster that was replaced or restored, has the same name
and other messages at the same offsets: what is known by offset (rows, commits) is wrong for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol
from uuid import UUID

import msgspec
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.brokers.topic_metadata import TopicMetadata
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.errors import GapError, first_line
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.incarnations import Incarnation

log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_POLL_SECONDS = 0.2
# Looked for near the commit first: the index on `_offset` then leaves most of the table out.
_NEAR = 100_000


class Known(Protocol):
    """`Incarnations`."""

    async def latest(self, topic: str) -> Incarnation | None: ...

    async def record(self, one: Incarnation) -> None: ...

    async def partitions_told(self, topic: str) -> int: ...


class TopicGuard:
    """Of one topic. `describe` asks the brokers, each time anew; `now_ms`: the table's clock."""

    def __init__(
        self,
        topic: str,
        describe: Callable[[], Awaitable[TopicMetadata]],
        known: Known,
        now_ms: Callable[[], Awaitable[int]],
        change_grace_s: float,
    ) -> None:
        self._topic = topic
        self._describe = describe
        self._known = known
        self._now_ms = now_ms
        self._grace_ms = int(change_grace_s * 1000)
        self._incarnation: Incarnation | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def lookup_born_before_ms(self) -> int:
        """Ids born before this (Unix) may be in the table from another partition, or from the topic
        before this one."""
        one = self._incarnation
        return one.changed_at_ms + self._grace_ms if one and one.changed_at_ms else 0

    async def check(self) -> Incarnation:
        """Ask the brokers now. Raises GapError for another topic; KafkaError, ClickHouseError."""
        seen = await self._describe()
        if not seen.partitions:
            raise UnknownTopicOrPartitionError(f"topic {self._topic} does not exist")
        async with self._one_at_a_time:
            known = self._incarnation or await self._known.latest(self._topic)
            current = await self._compared(known, seen)
            if current != known:
                await self._known.record(current)
            self._incarnation = current
            return current

    async def is_unchanged(self, told_ms: int) -> bool:
        """Whether `lookup_born_before_ms` is what it was, by the brokers' word of now. Raises as
        `check`."""
        await self.check()
        return self.lookup_born_before_ms == told_ms

    async def watch(self, stop: Callable[[Exception], None]) -> None:
        """Check each second, until cancelled."""
        while True:
            try:
                await self.check()
            except GapError as error:
                stop(error)
                return
            except (KafkaError, ClickHouseError) as error:
                log.debug("cannot look at the topic: %s", first_line(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def admit(
        self, partition: TopicPartition, offset_store: KafkaOffsetStore, sink: ClickHouseSink
    ) -> TopicPartition:
        """The partition as the table names it. To be asked before it is taken over.

        Raises GapError: it is not the topic whose rows are in the table.
        """
        current = await self.check()
        latest = await self._known.latest(self._topic)
        if latest and latest.generation != current.generation:
            raise GapError(f"topic {self._topic} was accepted as another one; start again")
        partition = TopicPartition(partition.topic, partition.partition, current.generation)
        await self._look(partition, offset_store, sink)
        await self._wait_for_older(partition, current, offset_store)
        return partition

    async def _compared(self, known: Incarnation | None, seen: TopicMetadata) -> Incarnation:
        if known is None:
            told = await self._known.partitions_told(self._topic)
            known = Incarnation(self._topic, 0, seen.cluster_id, seen.topic_id, told)
            if not told:
                return replace(known, partitions=seen.partitions)
        if is_another(known, seen):
            raise another(self._topic, f"its id is {_ids(seen)} and was {_ids(known)}")
        known = replace(
            known,
            topic_id=seen.topic_id or known.topic_id,
            cluster_id=seen.cluster_id or known.cluster_id,
        )
        if seen.partitions <= known.partitions:  # fewer: a broker that does not know it yet
            return known
        log.warning(
            "topic %s has %d partitions, it had %d: a key's events may come in another one now;"
            " ids are asked of the table",
            *(self._topic, seen.partitions, known.partitions),
        )
        return replace(
            known,
            partitions=seen.partitions,
            partitions_before=known.partitions,
            changed_at_ms=await self._now_ms(),
        )

    async def _wait_for_older(
        self, partition: TopicPartition, current: Incarnation, offset_store: KafkaOffsetStore
    ) -> None:
        """A partition that was added begins when all is in the table that the others had by now: of
        what is sent once more in this one, the first copy may still wait in them. What an open
        transaction holds back is not waited for: it may last, and is asked for in the table."""
        before = current.partitions_before
        if partition.partition < before or not before or await offset_store.committed(partition):
            return
        older = [
            TopicPartition(partition.topic, number, partition.generation)
            for number in range(before)
        ]
        ends = await offset_store.stable_ends(older)
        log.info("%s: new; begins when the older partitions are read up to here", partition)
        while ends:
            for one, end in list(ends.items()):
                committed = await offset_store.committed(one)
                if end == 0 or (committed and committed.lease and committed.offset >= end):
                    del ends[one]
            await asyncio.sleep(_POLL_SECONDS if ends else 0)

    async def _look(
        self, partition: TopicPartition, offset_store: KafkaOffsetStore, sink: ClickHouseSink
    ) -> None:
        """Compare a message with its row: what ids cannot tell (a cluster restored from a copy, a
        broker without topic ids), and what they could not when they were first written down."""
        bounds = await offset_store.bounds(partition)
        committed = await offset_store.committed(partition)
        near = max(bounds.begin, committed.offset - _NEAR) if committed else bounds.begin
        rows = await sink.edge_rows(partition, near, bounds.end)
        if not rows and near > bounds.begin:
            rows = await sink.edge_rows(partition, bounds.begin, near)
        # The last may have come after the topic was created anew, before anybody saw that; the
        # first is still in a cluster that was restored from an older copy.
        for offset, id_ in rows.items():
            piece = await offset_store.read(partition, offset)
            found = [one for one in piece.records if one.offset == offset]
            if found and (other := event_id(found[0].value)) != id_:
                raise another(
                    self._topic,
                    f"at offset {offset} of partition {partition.partition} is event"
                    f" {other or 'none'}, and the table has {id_} from there",
                )


def is_another(known: Incarnation, seen: TopicMetadata) -> bool:
    """By the ids that both have. A topic's id is never used again."""
    if known.topic_id and seen.topic_id:
        return known.topic_id != seen.topic_id
    return bool(known.cluster_id and seen.cluster_id and known.cluster_id != seen.cluster_id)


def another(topic: str, how: str) -> GapError:
    """What is said, and what to do."""
    return GapError(
        f"topic {topic} is not the one whose events are in the table ({how}): the topic was created"
        " anew or cut off, or its cluster replaced. Nothing more is read. To read it from its"
        f" beginning beside the old rows: `activity topic accept {topic}`, and start the consumer"
        " again"
    )


def event_id(value: bytes | None) -> str:
    """Canonical; '' for what is no event. As lenient as any release may have been."""
    try:
        return str(UUID(msgspec.json.decode(value or b"", type=_Id).id))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


class _Id(msgspec.Struct):
    id: str


def _ids(one: Incarnation | TopicMetadata) -> str:
    return f"{one.topic_id or 'unknown'} in cluster {one.cluster_id or 'unknown'}"
