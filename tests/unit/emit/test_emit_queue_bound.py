"""What waits is bounded by bytes, too: whoever calls a service chooses how long its paths are."""

from collections.abc import Callable

import pytest

from activity_emit.delivery.outbox import Outbox
from activity_emit.delivery.queue_bound import LOOKED_AT
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.encode import ProducerRecord
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.publisher import KafkaPublisher
from activity_emit.settings import EmitSettings
from activity_kafka.settings import KafkaSettings
from activity_spool.settings import SpoolSettings

MIB = 1 << 20


class Stalled(KafkaPublisher):
    """Its engine takes nothing, as while a forwarder is stopped."""

    def start(self) -> None:
        pass

    @property
    def waiting(self) -> int:
        return len(self._queue)


def stalled(queue_size: int = 10_000, queue_max_bytes: int = 64 * MIB) -> Stalled:
    settings = EmitSettings(queue_size=queue_size, queue_max_bytes=queue_max_bytes)
    return Stalled(KafkaSettings(), settings, SpoolSettings(enabled=False))


def draft(path: str, **params: object) -> Draft:
    return (0, "GET", path, "", {"org_id": "o1", **params}, 200, 1.0)


@pytest.mark.parametrize(
    "one",
    [
        lambda text: draft("/" + text),
        lambda text: draft("/", name=text),
        lambda text: draft("/" + "é" * (len(text) // 2)),
        lambda text: {"org_id": "o1", "metadata": {"text": text}},
        lambda text: (b"o1", text.encode()),
    ],
    ids=["path", "parameter", "not ASCII", "job", "ready event"],
)
def test_large_events_wait_in_few_bytes(one: Callable[[str], Draft]) -> None:
    publisher = stalled(queue_max_bytes=8 * MIB)
    for number in range(5_000):
        publisher.publish(one(f"{number:050000}"))
    assert publisher.waiting >= 8 * MIB // 51_000
    assert publisher.waiting <= 8 * MIB // 50_000 + LOOKED_AT
    assert publisher.metrics().dropped == 5_000 - publisher.waiting


def test_small_events_wait_as_many_as_before() -> None:
    publisher = stalled(queue_size=3_000)
    for _ in range(5_000):
        publisher.publish(draft("/v1/orgs/o1"))
    assert publisher.waiting == 3_000


def test_room_is_found_again_when_events_are_small_again() -> None:
    publisher = stalled(queue_max_bytes=MIB)
    for _ in range(1_000):
        publisher.publish(draft("/" + "x" * 50_000))
    assert publisher.waiting == LOOKED_AT
    publisher._queue.clear()  # they were sent
    for _ in range(5_000):
        publisher.publish(draft("/v1/orgs/o1"))
    assert publisher.waiting == 5_000


def test_an_event_that_somebody_waits_for_is_looked_at_as_well() -> None:
    publisher = stalled(queue_max_bytes=MIB)
    publisher._queue.extend(
        Committed(draft("/" + "x" * 50_000), lambda: None) for _ in range(LOOKED_AT)
    )
    assert not publisher.publish(draft("/"))


def test_an_object_that_cannot_be_packed_is_no_trouble() -> None:
    publisher = stalled()
    for _ in range(200):
        assert publisher.publish(draft("/", name=object()))


def test_without_a_disk_the_outbox_is_bounded_by_bytes() -> None:
    outbox = Outbox(None, (1_000, 100_000), PublisherMetrics(), RateLimitedLogger())
    kept = 0
    while outbox.has_room():
        outbox.add([ProducerRecord(b"o1", b"x" * 10_000)] * 3)
        kept += 3
    assert kept == 12
    outbox.done(outbox.head(3))
    assert outbox.has_room()
