"""The numbers at the end of a sequence, and who closes those of the dead."""

import json
import threading
from collections import deque
from typing import Any

from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.numbering import Numbering
from activity_emit.event.sequence import ACCEPTED, SequenceCounters
from activity_emit.metrics import PublisherMetrics
from tests.unit.emit.harness import builder_of

FACTS = {
    "timestamp_us": 1_700_000_000_000_000,
    "org_id": "o1",
    "action": "create",
    "method": "WORKER",
    "path": "",
    "status_code": 200,
    "duration_ms": 1.0,
}


class Numbered:
    """A builder, and what it makes of some equal events."""

    def __init__(self) -> None:
        self.queue: deque[Draft | Committed] = deque()
        self.tally = SequenceCounters()
        self.metrics = PublisherMetrics()
        self.numbers = Numbering("mine", self.metrics, self.tally)
        self.builder = builder_of(self.queue, metrics=self.metrics, numbering=self.numbers)

    def events(self, *facts: dict[str, Any]) -> list[tuple[str, int]]:
        for one in facts:
            self.queue.append({**FACTS, **one})
            self.tally.counters[ACCEPTED] += 1
        messages, _ = self.builder.take(len(facts))
        found = [json.loads(message.value) for message in messages]
        return [(event["producer_id"], event["seq"]) for event in found]


def dead(producer_id: str, events: int) -> SequenceCounters:
    tally = SequenceCounters()
    tally.producer_id = producer_id
    tally.counters[ACCEPTED] = events
    return tally


def test_the_next_events_close_the_sequences_of_the_dead() -> None:
    numbering = Numbered()
    assert numbering.events({}) == [("mine", 0)]
    numbering.numbers.close([dead("d1", 5), dead("d2", 9)])
    assert numbering.events({}, {}, {}) == [("d1", 5), ("d2", 9), ("mine", 1)]
    numbering.numbers.stored(well=True)
    assert numbering.events({}) == [("mine", 2)]
    assert numbering.tally.next_seq == 3


def test_an_event_that_is_lost_closes_nothing() -> None:
    numbering = Numbered()
    numbering.numbers.close([dead("d1", 5)])
    assert numbering.events({}) == [("d1", 5)]
    numbering.numbers.stored(well=False)
    assert numbering.events({}, {}) == [("d1", 5), ("mine", 0)]


def test_an_event_that_cannot_be_built_has_one_number_and_closes_nothing() -> None:
    numbering = Numbered()
    numbering.numbers.close([dead("d1", 5)])
    # It is found out before it has a number, and takes one all the same: a gap is to show.
    assert numbering.events({"duration_ms": "long"}, {}) == [("d1", 5)]
    assert numbering.events({"timestamp_us": 10**30}, {}) == [("mine", 2)]
    assert numbering.tally.next_seq == 3


def test_what_gets_no_number_is_not_missing() -> None:
    numbering = Numbered()
    assert numbering.events({"org_id": None}, {}, {"org_id": None}) == [("mine", 0)]
    assert numbering.tally.next_seq == 1


def test_threads_count_through_a_change_of_producers() -> None:
    events = KafkaPublisher(KafkaSettings(), EmitSettings(queue_size=1_000), SpoolSettings())
    events._engine = Idle()  # type: ignore[assignment]
    going = threading.Event()

    def publish() -> None:
        going.wait()
        for _ in range(20_000):
            events.publish(())

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    going.set()
    sequences: list[SequenceCounters] = [events._counters]
    while any(thread.is_alive() for thread in threads):
        events._begin_sequence(None, 0, events._metrics.dropped)
        sequences.append(events._counters)
        for _ in range(100):
            if events._queue:
                events._queue.popleft()
    counts = events.counts()
    assert counts.accepted + counts.dropped == 80_000
    assert counts.dropped > 0
    assert sum(one.next_seq for one in sequences) == 80_000


class Idle:
    """An engine that takes nothing."""

    idle = False

    def metrics(self) -> dict[str, int]:
        return {}
