"""What a topic's configuration is warned of, and what not."""

import pytest

from activity_consume.delivery.offsets import LogBounds
from activity_consume.record import TopicPartition
from activity_consume.sources.topic_settings import concerns, dead_letter_concerns, near_deletion

DAY_S = 24 * 3600.0
WEEK_MS = "604800000"
PLAIN = {
    "cleanup.policy": "delete",
    "retention.ms": WEEK_MS,
    "retention.bytes": "-1",
    "max.message.bytes": "1048588",
}


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, []),
        ({"retention.ms": "-1"}, []),
        ({"retention.bytes": "99999999999"}, []),
        ({"cleanup.policy": "compact"}, ["compacted"]),
        ({"cleanup.policy": "compact,delete"}, ["compacted"]),
        ({"cleanup.policy": "compact", "retention.ms": "1"}, ["compacted"]),
        ({"cleanup.policy": "delete,compact", "retention.ms": "1"}, ["compacted", "retention_ms"]),
        ({"retention.ms": "60000"}, ["retention_ms"]),
        ({"retention.ms": "0"}, ["retention_ms"]),
        ({"retention.bytes": "1000000"}, ["retention_bytes"]),
        ({"max.message.bytes": "100000"}, ["max_message_bytes"]),
    ],
)
def test_of_the_events(changed: dict[str, str], kinds: list[str]) -> None:
    found = concerns("t", {**PLAIN, **changed}, DAY_S)
    assert [one.kind for one in found] == kinds


def test_what_the_broker_does_not_tell_is_no_concern() -> None:
    assert concerns("t", {}, DAY_S) == []
    assert dead_letter_concerns("d", {}, {}) == []


def test_of_the_dead_letters() -> None:
    small = {**PLAIN, "max.message.bytes": "1000"}
    assert [one.kind for one in dead_letter_concerns("d", small, PLAIN)] == ["max_message_bytes"]
    compacted = {**PLAIN, "cleanup.policy": "compact"}
    assert [one.kind for one in dead_letter_concerns("d", compacted, PLAIN)] == ["compacted"]
    assert dead_letter_concerns("d", PLAIN, PLAIN) == []


@pytest.mark.parametrize(
    ("settled", "begin", "end", "waits_s", "changed", "warned"),
    [
        (50, 0, 50, 0, {}, False),
        (50, 0, 90, 3 * DAY_S, {}, False),
        (50, 0, 90, 4 * DAY_S, {}, True),
        (50, 0, 90, 400 * DAY_S, {"retention.ms": "-1"}, False),
        (50, 0, 90, 400 * DAY_S, {"cleanup.policy": "compact"}, False),
        # By size: only once it deletes at all.
        (10, 0, 90, 0, {"retention.bytes": "1000"}, False),
        (110, 100, 190, 0, {"retention.bytes": "1000"}, True),
        (180, 100, 190, 0, {"retention.bytes": "1000"}, False),
    ],
)
def test_a_lag_that_nears_the_retention(  # noqa: PLR0917
    settled: int, begin: int, end: int, waits_s: float, changed: dict[str, str], warned: bool
) -> None:
    found = near_deletion(
        TopicPartition("t", 3), settled, LogBounds(begin, end), waits_s * 1000, {**PLAIN, **changed}
    )
    assert bool(found) == warned
    assert not found or "partition 3" in found.text
