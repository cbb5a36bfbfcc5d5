"""Is it the topic whose events are in the table? By its ids, and by its count of partitions."""

import dataclasses

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from activity_consume.brokers.topic_metadata import TopicMetadata
from activity_consume.errors import GapError
from activity_consume.sink.incarnations import Incarnation
from activity_consume.sources.topic_guard import TopicGuard, event_id, is_another

NOW_MS = 1_767_322_800_000
OLD = Incarnation("t", 0, "cluster", "topic", 4)


class Table:
    """What the table has."""

    def __init__(self, row: Incarnation | None = None, told: int = 0) -> None:
        self.row = row
        self.told = told

    async def latest(self, topic: str) -> Incarnation | None:
        assert topic == "t"
        return self.row

    async def record(self, one: Incarnation) -> None:
        self.row = one

    async def partitions_told(self, topic: str) -> int:
        assert topic == "t"
        return self.told


class Brokers:
    """What they say."""

    def __init__(self, cluster: str = "cluster", topic: str = "topic", partitions: int = 4) -> None:
        self.answer = TopicMetadata(cluster, topic, partitions)

    async def describe(self) -> TopicMetadata:
        return self.answer

    def has(self, partitions: int) -> None:
        self.answer = dataclasses.replace(self.answer, partitions=partitions)


def guard(table: Table, brokers: Brokers) -> TopicGuard:
    async def now() -> int:
        return NOW_MS

    return TopicGuard("t", brokers.describe, table, now, change_grace_s=60)


@pytest.mark.parametrize(
    ("cluster", "topic", "another"),
    [
        ("cluster", "topic", False),
        ("cluster", "other", True),
        ("other", "other", True),
        # A topic's id tells enough: a cluster that was moved keeps its topics.
        ("other", "topic", False),
        # A broker without topic ids, or a proxy that hides one of them.
        ("cluster", "", False),
        ("other", "", True),
        ("", "topic", False),
        ("", "other", True),
        ("", "", False),
    ],
)
async def test_by_the_ids_that_both_have(cluster: str, topic: str, another: bool) -> None:
    seen = Brokers(cluster, topic)
    assert is_another(OLD, seen.answer) == another
    table = Table(OLD)
    guarding = guard(table, seen)
    if another:
        with pytest.raises(GapError, match="`activity topic accept t`"):
            await guarding.check()
    else:
        assert (await guarding.check()).cluster_id == (cluster or "cluster")
    assert table.row and table.row.topic_id == "topic"


async def test_the_first_is_trusted_and_written_down_and_what_was_unknown_is_learned() -> None:
    table = Table()
    assert await guard(table, Brokers(topic="")).check() == dataclasses.replace(OLD, topic_id="")
    guarding = guard(table, Brokers())
    assert await guarding.check() == OLD == table.row
    assert guarding.lookup_born_before_ms == 0


@pytest.mark.parametrize("table", [Table(OLD), Table(told=4)], ids=["written down", "told"])
async def test_added_partitions_are_seen_also_by_one_that_was_away(table: Table) -> None:
    guarding = guard(table, Brokers(partitions=12))
    changed = await guarding.check()
    assert (changed.partitions, changed.partitions_before) == (12, 4)
    assert guarding.lookup_born_before_ms == NOW_MS + 60_000
    assert table.row == changed
    later = guard(table, Brokers(partitions=12))
    assert await later.check() == changed
    assert later.lookup_born_before_ms == NOW_MS + 60_000


async def test_what_was_judged_before_the_change_is_known_by_it() -> None:
    brokers = Brokers()
    guarding = guard(Table(OLD), brokers)
    told = guarding.lookup_born_before_ms
    assert await guarding.is_unchanged(told)
    brokers.has(6)
    assert not await guarding.is_unchanged(told)
    assert await guarding.is_unchanged(guarding.lookup_born_before_ms)
    brokers.answer = TopicMetadata("cluster", "other", 6)
    with pytest.raises(GapError):
        await guarding.is_unchanged(guarding.lookup_born_before_ms)


async def test_a_broker_that_is_behind_changes_nothing() -> None:
    brokers = Brokers(partitions=12)
    guarding = guard(Table(OLD), brokers)
    changed = await guarding.check()
    brokers.has(4)
    assert await guarding.check() == changed
    brokers.has(0)
    with pytest.raises(UnknownTopicOrPartitionError):
        await guarding.check()


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        (b'{"id": "01890A5D-AC96-774B-BCCE-B302099A8057"}', "01890a5d-ac96-774b-bcce-b302099a8057"),
        (b'{"id": "{01890a5dac96774bbcceb302099a8057}"}', "01890a5d-ac96-774b-bcce-b302099a8057"),
        (b'{"id": 7}', ""),
        (b"{}", ""),
        (b"nonsense", ""),
        (b"\xff", ""),
        (b"[" * 5000, ""),
        (None, ""),
    ],
)
def test_the_id_of_whatever_stands_there(value: bytes | None, id_: str) -> None:
    assert event_id(value) == id_
