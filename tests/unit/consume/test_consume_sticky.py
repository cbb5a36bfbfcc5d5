"""Who gets which partition."""

from types import SimpleNamespace
from typing import Any, cast

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.sources.sticky import StickyRoundRobin, share_out

NAMES = [f"member-{number}" for number in range(5)]


def _all(count: int) -> set[TopicPartition]:
    return {TopicPartition("events", number) for number in range(count)}


def _cluster(**partitions: int) -> Any:
    return SimpleNamespace(partitions_for_topic=lambda topic: set(range(partitions[topic])))


@given(
    st.integers(0, 14),
    st.dictionaries(
        st.sampled_from(NAMES), st.lists(st.integers(0, 20), max_size=14), min_size=1, max_size=5
    ),
)
def test_each_partition_has_one_member_and_members_have_alike(
    count: int, had: dict[str, list[int]]
) -> None:
    """Whatever they say they had: the same one twice, one that is no more."""
    said = {
        name: [TopicPartition("events", number) for number in some] for name, some in had.items()
    }
    shares = share_out(_all(count), said)
    assert sorted(one for some in shares.values() for one in some) == sorted(_all(count))
    assert shares.keys() == had.keys()
    sizes = [len(some) for some in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 14), st.integers(2, 5), st.data())
def test_who_stays_keeps_what_is_his(count: int, members: int, data: st.DataObject) -> None:
    """One leaves: none of the others loses any. He is back: each loses what is over his share."""
    before = share_out(_all(count), {name: [] for name in NAMES[:members]})
    leaver = data.draw(st.sampled_from(sorted(before)))
    without = share_out(
        _all(count), {name: some for name, some in before.items() if name != leaver}
    )
    for name, some in without.items():
        assert set(before[name]) <= set(some)
    again = share_out(_all(count), {**without, leaver: []})
    for name, some in without.items():
        assert len(set(some) & set(again[name])) == min(len(some), len(again[name]))
    assert share_out(_all(count), again) == {name: sorted(some) for name, some in again.items()}


def _through_the_wire(metadata: ConsumerProtocolMemberMetadata) -> ConsumerProtocolMemberMetadata:
    return ConsumerProtocolMemberMetadata.decode(metadata.encode())


def test_by_the_protocol() -> None:
    """What a member had, it says in its next join, and gets it again."""
    first, second = StickyRoundRobin(), StickyRoundRobin()
    plain = RoundRobinPartitionAssignor.assign(
        _cluster(events=6), {"a": first.metadata(["events"]), "b": second.metadata(["events"])}
    )
    had = ConsumerProtocolMemberAssignment.decode(plain["a"].encode())
    first.on_assignment(had)
    members = {
        # By their names alone, the new one would be first.
        "0": _through_the_wire(second.metadata(["events"])),
        "a": _through_the_wire(first.metadata(["events"])),
    }
    shares = first.assign(_cluster(events=6), members)
    assert shares["a"].partitions() == had.partitions()
    assert sorted(one.partition for one in shares["0"].partitions()) == [1, 3, 5]


def test_members_of_older_releases_take_part() -> None:
    """Both lead and follow: the name is the same, and what they do not say is nothing."""
    assert StickyRoundRobin.name == RoundRobinPartitionAssignor.name
    new, old = StickyRoundRobin(), RoundRobinPartitionAssignor
    members = {"new": new.metadata(["events"]), "old": old.metadata(["events"])}
    for leader in (new, cast("Any", old)):
        shares = leader.assign(_cluster(events=4), members)
        assert sorted(len(one.partitions()) for one in shares.values()) == [2, 2]


def test_what_another_client_says_is_nothing() -> None:
    said = [b"\x00\x01", b"{", b"[]", b'{"events": "all"}', None]
    members = {
        str(number): ConsumerProtocolMemberMetadata(0, ["events"], some)
        for number, some in enumerate(said)
    }
    shares = StickyRoundRobin().assign(_cluster(events=5), members)
    assert [len(one.partitions()) for one in shares.values()] == [1] * 5


def test_members_of_different_topics_get_their_own() -> None:
    """Two configurations in one group, for as long as an update takes."""
    members = {
        "a": ConsumerProtocolMemberMetadata(0, ["events"], b""),
        "b": ConsumerProtocolMemberMetadata(0, ["others"], b""),
    }
    shares = StickyRoundRobin().assign(_cluster(events=2, others=3), members)
    assert {one.topic for one in shares["a"].partitions()} == {"events"}
    assert {one.topic for one in shares["b"].partitions()} == {"others"}
