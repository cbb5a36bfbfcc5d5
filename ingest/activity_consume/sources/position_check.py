"""Looks, about once a second, for partitions that do not get on."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.errors import GapError, first_line
from activity_consume.health import Part
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.sources.unreadable import Unreadables

_EVERY_SECONDS = 1.0
# Looks at the same place after which nothing is on the way between the client and us.
_SAME_PLACE = 3
# Brokers end a transaction that its producer has left after a minute, by default.
_LONG_OPEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where we are in a partition, since when (monotonic), and how often this was seen in a row."""

    ours: int
    since: float
    looks: int = 1

    def after(self, before: "Place | None") -> "Place":
        """The place seen just now, as the next one of those before it."""
        if before is None or before.ours != self.ours:
            return self
        return Place(self.ours, before.since, before.looks + 1)


class PositionCheck:
    """That the client hands over all that is there, that what stands still goes on when it can."""

    def __init__(
        self,
        client: Callable[[], tuple[AIOKafkaConsumer, KafkaOffsetStore]],
        accumulators: Callable[[], Mapping[TopicPartition, BatchAccumulator]],
        unreadables: Unreadables,
        *,
        stats: Stats,
        memory: MemoryBudget,
        taking: asyncio.Lock,
    ) -> None:
        """`accumulators`: of the partitions that are read. `taking`: held by whoever takes
        records."""
        self._client = client
        self._accumulators = accumulators
        self._unreadables = unreadables
        self._stats = stats
        self._memory = memory
        self._taking = taking
        self._seen: dict[TopicPartition, Place] = {}

    async def run(self) -> None:
        """Until cancelled. Raises GapError: the consumer must not go on."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self._unreadables.ask()
                await self._look()
                self._stats.health.recovered("watch")
            except ClickHouseError as error:
                text = f"ClickHouse: dead letters: {first_line(error)}"
                self._stats.health.failed("watch", Part.CLICKHOUSE, text)
            except (KafkaError, IllegalStateError) as error:
                text = f"Kafka: how far it can be read: {first_line(error)}"
                self._stats.health.failed("watch", Part.KAFKA, text)

    async def _look(self) -> None:
        consumer, offset_store = self._client()
        if consumer.has_ended:
            raise GapError("the Kafka client has ended by an error; start the consumer again")
        now = time.monotonic()
        accumulators = {} if self._memory.is_full else self._accumulators()
        self._seen = {
            one: Place(accumulator.next_offset, now).after(self._seen.get(one))
            for one, accumulator in accumulators.items()
        }
        still = {
            one: place
            for one, place in self._seen.items()
            if place.looks >= _SAME_PLACE and not self._unreadables.stands(one)
        }
        ends = await offset_store.stable_ends(list(still)) if still else {}
        async with self._taking:  # or what is being taken would be taken twice
            for partition, accumulator in self._accumulators().items():
                if self._unreadables.stands(partition):
                    await self._unreadables.look(accumulator)
                elif (
                    partition in ends
                    and still[partition].ours == accumulator.next_offset < ends[partition]
                ):
                    await self._unreadables.read_beside(accumulator)
        self._look_at_transactions({one: still[one] for one in ends}, now)

    def _look_at_transactions(self, still: Mapping[TopicPartition, Place], now: float) -> None:
        """Whatever stands behind an open transaction waits for its end, and nobody else says so."""
        consumer, _ = self._client()
        mine = consumer.assignment()
        waiting: dict[TopicPartition, float] = {}
        for partition, place in still.items():
            high = consumer.highwater(partition) if partition in mine else None
            if (high or 0) > place.ours and now - place.since >= _LONG_OPEN_SECONDS:
                waiting[partition] = now - place.since
                self._stats.health.failed(
                    ("transaction", partition),
                    f"transaction {partition}",
                    f"{partition}: an open transaction begins at offset {place.ours}; what comes"
                    " after it waits for its end",
                    then="Kafka's kafka-transactions.sh finds its producer and can abort it",
                    blocks=False,
                )
        for partition in self._stats.state.open_transaction.keys() - waiting.keys():
            self._stats.health.recovered(("transaction", partition))
        self._stats.state.open_transaction = waiting
