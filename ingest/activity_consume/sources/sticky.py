"""Who gets which partition: whoever had it, as far as that is fair."""

from collections.abc import Iterable, Mapping

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.structs import TopicPartition

Members = Mapping[str, ConsumerProtocolMemberMetadata]


class StickyRoundRobin(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """An assignor for aiokafka, of one consumer. Numbers of partitions differ by one at most.

    It goes by the name of `roundrobin`, of which members of older releases are, too: they take part
    as members that had nothing, and one that leads shares out as it always did. Under another name
    all would have to stop at once, for aiokafka joins once for each assignor that it offers. Its
    StickyPartitionAssignor is not used: its state is of the class, and it never learns the
    generation (aiokafka issues 1175, 1176).
    """

    def __init__(self) -> None:
        self._had: dict[str, list[int]] = {}

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member says of itself when it joins."""
        had = msgspec.json.encode(self._had) if self._had else b""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), had)

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """What this member has from now on."""
        self._had = {topic: list(numbers) for topic, numbers in assignment.assignment}

    def assign(
        self, cluster: ClusterMetadata, members: Members
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Called where this member leads."""
        topics = {frozenset(member.subscription) for member in members.values()}
        if len(topics) != 1:  # two configurations at once: some cannot have all
            plain: dict[str, ConsumerProtocolMemberAssignment] = super().assign(cluster, members)
            return plain
        free = {
            TopicPartition(topic, number)
            for topic in next(iter(topics))
            for number in cluster.partitions_for_topic(topic) or ()
        }
        had = {name: _had(member.user_data) for name, member in sorted(members.items())}
        return {
            name: ConsumerProtocolMemberAssignment(self.version, _by_topic(got), b"")
            for name, got in share_out(free, had).items()
        }


def share_out(
    partitions: set[TopicPartition], had: Mapping[str, list[TopicPartition]]
) -> dict[str, list[TopicPartition]]:
    """`had`: what each member says it had; of two that had the same one, the first keeps it."""
    free = set(partitions)
    claims: dict[str, list[TopicPartition]] = {}
    for name, some in had.items():
        claims[name] = sorted(free.intersection(some))
        free.difference_update(claims[name])
    least, one_more = divmod(len(partitions), len(had))
    shares: dict[str, list[TopicPartition]] = {}
    for name in sorted(claims, key=lambda name: -len(claims[name])):
        most = least + 1 if one_more and len(claims[name]) > least else least
        one_more -= most - least
        shares[name], rest = claims[name][:most], claims[name][most:]
        free.update(rest)
    for partition in sorted(free):
        shares[min(shares, key=lambda name: (len(shares[name]), name))].append(partition)
    return shares


def _had(user_data: bytes | None) -> list[TopicPartition]:
    """Nothing where it is not ours: another client's, or another release's."""
    try:
        said = msgspec.json.decode(user_data or b"{}", type=dict[str, list[int]])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    return [TopicPartition(topic, number) for topic, numbers in said.items() for number in numbers]


def _by_topic(partitions: list[TopicPartition]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for topic, number in sorted(partitions):
        found.setdefault(topic, []).append(number)
    return list(found.items())
