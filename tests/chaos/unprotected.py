"""`python -m tests.chaos.unprotected NAME`: the consumer with one protection taken out.

A fault run with it must show a number above zero; if it does not, the fault was not hit.
"""

import sys
from collections.abc import Sequence
from typing import ClassVar

from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.consumer import Components
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Committed, KafkaOffsetStore
from activity_consume.erasure.known import Erasures
from activity_consume.erasure.rules import NONE, Rules
from activity_consume.main import consume
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink, Progress
from activity_consume.sink.incarnations import Incarnation
from activity_consume.sources.topic_guard import TopicGuard

_FAR_AWAY_MS = 4_000_000_000_000


class NeverAsks(ClickHouseSink):
    """Without the question which offsets are there."""

    async def existing_offsets(
        self, partition: TopicPartition, first: int, end: int | None = None
    ) -> set[int]:
        del partition, first, end
        return set()


class NeverWaits(ClickHouseSink):
    """Asks at once, while an insert of an attempt before may still be on its way."""

    async def wait_for_inflight_inserts(self, partition: TopicPartition, lease_ms: int) -> None:
        del partition, lease_ms


class Unleased(ClickHouseSink):
    """Its inserts are valid for ever."""

    async def insert(
        self,
        partition: TopicPartition,
        base_offset: int,
        lease_ms: int,
        rows: Sequence[Row | PackedRows],
    ) -> None:
        del lease_ms
        await super().insert(partition, base_offset, _FAR_AWAY_MS, rows)


class Forgetful(ClickHouseSink):
    """Knows no id."""

    async def ids(self, partition: TopicPartition, limit: int) -> DedupWindow:
        del partition
        return _NoIds(limit)

    async def existing_ids(self, rows: Sequence[Row]) -> set[str]:
        del rows
        return set()


class _NoIds(DedupWindow):
    def take(self, id_: str) -> bool:
        del id_
        return True


class AutoCommit(KafkaOffsetStore):
    """Commits what was fetched, whether it is in the table or not: the client's default."""

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        await super().commit(partition, max(offset, await self.position(partition)), lease)


class TrustsTheGroup(KafkaOffsetStore):
    """Takes any committed offset for its own."""

    async def committed(self, partition: TopicPartition) -> Committed | None:
        found = await super().committed(partition)
        return Committed(found.offset, Lease(0, released=True)) if found else None


class TrustsItsMemory(KafkaOffsetStore):
    """Goes on where it has released a partition, whoever has had it since."""

    _released: ClassVar[dict[TopicPartition, Committed]] = {}

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        await super().commit(partition, offset, lease)
        self._released.pop(partition, None)
        if lease.released:
            self._released[partition] = Committed(offset, lease)

    async def committed(self, partition: TopicPartition) -> Committed | None:
        return self._released.get(partition) or await super().committed(partition)


class NoDeadLetters(DeadLetterWriter):
    """Drops what is no event."""

    async def write(self, letters: Sequence[DeadLetter]) -> None:
        del letters


class TrustsTheGroupsStore(ClickHouseSink):
    """... and does not look at how far the table is."""

    async def progress(self, partition: TopicPartition, from_offset: int) -> Progress | None:
        del partition, from_offset
        return None


class NeverAsksNorKnows(Forgetful):
    """A killed consumer's rows are found twice over, by their offsets and by their ids: either
    protection alone is enough, so here both are out."""

    async def existing_offsets(
        self, partition: TopicPartition, first: int, end: int | None = None
    ) -> set[int]:
        del partition, first, end
        return set()


class NoErasures(Erasures):
    """Keeps nothing out."""

    @property
    def known(self) -> Rules:
        return NONE

    async def fresh(self) -> Rules:
        return NONE


class TrustsTheName(TopicGuard):
    """Takes a topic for the same one because it has the same name."""

    async def check(self) -> Incarnation:
        seen = await self._describe()
        return Incarnation(self._topic, 0, "", "", seen.partitions)

    async def admit(
        self, partition: TopicPartition, offset_store: KafkaOffsetStore, sink: ClickHouseSink
    ) -> TopicPartition:
        del offset_store, sink
        return partition


class ForgetsTheChange(TopicGuard):
    """Sees added partitions, and thinks nothing of it."""

    @property
    def lookup_born_before_ms(self) -> int:
        return 0


CONTROLS = {
    "ask": Components(sink=NeverAsks),
    "ask_and_ids": Components(sink=NeverAsksNorKnows),
    "wait": Components(sink=NeverWaits),
    "lease": Components(sink=Unleased),
    "mark": Components(offset_store=TrustsItsMemory),
    "ids": Components(sink=Forgetful),
    "commit_after": Components(offset_store=AutoCommit),
    "table_progress": Components(offset_store=TrustsTheGroup, sink=TrustsTheGroupsStore),
    "committed": Components(isolation_level="read_uncommitted"),
    "identity": Components(topic=TrustsTheName),
    "ids_after_change": Components(topic=ForgetsTheChange),
    "erasures": Components(erasures=NoErasures),
    "dead_letters": Components(dead_letters=NoDeadLetters),
}


if __name__ == "__main__":
    sys.exit(consume(CONTROLS[sys.argv[1]]))
