"""`python -m tests.chaos.unprotected NAME`: the consumer with one protection taken out.

A fault run with it must show a number above zero; if it does not, the fault was not hit.
"""

import sys
from collections.abc import Sequence

from activity_consume.batching.batch import DeadLetter, Source
from activity_consume.batching.dedup import IdWindow
from activity_consume.batching.rows import Chunk, Row
from activity_consume.consumer import Parts
from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.incarnations import Incarnation
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Commits, Committed
from activity_consume.main import consume
from activity_consume.sink.clickhouse import EventStore, Progress
from activity_consume.sources.topic_guard import TopicGuard

_FAR_AWAY_MS = 4_000_000_000_000


class NeverAsks(EventStore):
    """Without the question which offsets are there."""

    async def present(self, source: Source, first: int, end: int | None = None) -> set[int]:
        del source, first, end
        return set()


class NeverWaits(EventStore):
    """Asks at once, while an insert of an attempt before may still be on its way."""

    async def wait_until_quiet(self, source: Source, lease_ms: int) -> None:
        del source, lease_ms


class Unleased(EventStore):
    """Its inserts are valid for ever."""

    async def insert(
        self, source: Source, base_offset: int, lease_ms: int, rows: Sequence[Row | Chunk]
    ) -> None:
        del lease_ms
        await super().insert(source, base_offset, _FAR_AWAY_MS, rows)


class Forgetful(EventStore):
    """Knows no id."""

    async def ids(self, source: Source, limit: int) -> IdWindow:
        del source
        return _NoIds(limit)

    async def taken(self, rows: Sequence[Row]) -> set[str]:
        del rows
        return set()


class _NoIds(IdWindow):
    def take(self, id_: str) -> bool:
        del id_
        return True


class AutoCommit(Commits):
    """Commits what was fetched, whether it is in the table or not: the client's default."""

    async def commit(self, source: Source, offset: int, lease: Lease) -> None:
        await super().commit(source, max(offset, await self.position(source)), lease)


class TrustsTheGroup(Commits):
    """Takes any committed offset for its own."""

    async def committed(self, source: Source) -> Committed | None:
        found = await super().committed(source)
        return Committed(found.offset, Lease(0, released=True)) if found else None


class NoDeadLetters(DeadLetters):
    """Drops what is no event."""

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        del letters


class TrustsTheGroupsStore(EventStore):
    """... and does not look at how far the table is."""

    async def progress(self, source: Source, from_offset: int) -> Progress | None:
        del source, from_offset
        return None


class NeverAsksNorKnows(Forgetful):
    """A killed consumer's rows are found twice over, by their offsets and by their ids: either
    protection alone is enough, so here both are out."""

    async def present(self, source: Source, first: int, end: int | None = None) -> set[int]:
        del source, first, end
        return set()


class TrustsTheName(TopicGuard):
    """Takes a topic for the same one because it has the same name."""

    async def check(self) -> Incarnation:
        seen = await self._describe()
        return Incarnation(self._topic, 0, "", "", seen.partitions)

    async def admit(self, source: Source, commits: Commits, store: EventStore) -> Source:
        del commits, store
        return source


class ForgetsTheChange(TopicGuard):
    """Sees added partitions, and thinks nothing of it."""

    @property
    def ask_born_before_ms(self) -> int:
        return 0


CONTROLS = {
    "ask": Parts(store=NeverAsks),
    "ask_and_ids": Parts(store=NeverAsksNorKnows),
    "wait": Parts(store=NeverWaits),
    "lease": Parts(store=Unleased),
    "ids": Parts(store=Forgetful),
    "commit_after": Parts(commits=AutoCommit),
    "table_progress": Parts(commits=TrustsTheGroup, store=TrustsTheGroupsStore),
    "committed": Parts(isolation_level="read_uncommitted"),
    "identity": Parts(topic=TrustsTheName),
    "ids_after_change": Parts(topic=ForgetsTheChange),
    "dead_letters": Parts(dead_letters=NoDeadLetters),
}


if __name__ == "__main__":
    sys.exit(consume(CONTROLS[sys.argv[1]]))
