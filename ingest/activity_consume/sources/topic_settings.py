"""What a topic's own configuration does to events: looked at when the consumer starts, and once a
minute."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from activity_consume.brokers.topic_configuration import configuration
from activity_consume.delivery.offsets import KafkaOffsetStore, LogBounds
from activity_consume.errors import first_line
from activity_consume.gauges import State
from activity_consume.record import TopicPartition

log = logging.getLogger(__name__)

_EVERY_SECONDS = 60.0
#: An emitter's largest message, which is Kafka's own default.
_LARGEST_EVENT_BYTES = 1 << 20
_LEAST_RETENTION_BYTES = 1 << 30
# Of the retention: what has waited for longer is warned of before it is deleted.
_NEAR = 0.5

Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Concern:
    """`kind`: a word for metrics. `text`: what may be lost, and what to do."""

    topic: str
    kind: str
    text: str


def concerns(topic: str, of_topic: Settings, least_retention_s: float) -> list[Concern]:
    """What is wrong with the configuration of the events' topic."""
    found = _compacted(topic, of_topic)
    retention_ms = _number(of_topic, "retention.ms")
    if "delete" in of_topic.get("cleanup.policy", "delete"):
        if 0 <= retention_ms < least_retention_s * 1000:
            found["retention_ms"] = (
                f"retention.ms={retention_ms} deletes events that the consumer has not read when it"
                f" is away for longer; raise it to {int(least_retention_s * 1000)} or more"
            )
        size = _number(of_topic, "retention.bytes")
        if 0 <= size < _LEAST_RETENTION_BYTES:
            found["retention_bytes"] = (
                f"retention.bytes={size} deletes events that the consumer has not read when more"
                " come meanwhile; raise it, or set it to -1"
            )
    largest = _number(of_topic, "max.message.bytes", 1 << 30)
    # Kafka counts some bytes of the batch, its default is 12 more than a MiB.
    if largest < _LARGEST_EVENT_BYTES:
        found["max_message_bytes"] = (
            f"max.message.bytes={largest} refuses events that emitters send (up to"
            f" {_LARGEST_EVENT_BYTES}); raise it"
        )
    return [Concern(topic, kind, text) for kind, text in found.items()]


def dead_letter_concerns(topic: str, of_topic: Settings, events: Settings) -> list[Concern]:
    """What is wrong with the configuration of the dead letters' topic."""
    found = _compacted(topic, of_topic)
    largest = _number(of_topic, "max.message.bytes", 1 << 30)
    of_events = _number(events, "max.message.bytes", 0)
    if largest < of_events:
        found["max_message_bytes"] = (
            f"max.message.bytes={largest} is less than that of the events' topic ({of_events}): a"
            " larger dead letter is in the table only; raise it"
        )
    return [Concern(topic, kind, text) for kind, text in found.items()]


def near_deletion(
    partition: TopicPartition, settled: int, bounds: LogBounds, waits_ms: float, of_topic: Settings
) -> Concern | None:
    """What has not been deleted yet, but will be if the consumer does not get on. `waits_ms`: how
    old the next message to be read is."""
    if settled >= bounds.end or "delete" not in of_topic.get("cleanup.policy", "delete"):
        return None
    retention_ms = _number(of_topic, "retention.ms")
    by_age = retention_ms >= 0 and waits_ms > _NEAR * retention_ms
    kept = bounds.end - bounds.begin
    by_size = (
        _number(of_topic, "retention.bytes") >= 0
        and bounds.begin > 0
        and settled - bounds.begin < (1 - _NEAR) * kept
    )
    if not by_age and not by_size:
        return None
    return Concern(
        partition.topic,
        "near_deletion",
        f"partition {partition.partition} has {bounds.end - settled} messages to be read, the next"
        f" is {waits_ms / 1000:.0f} s old and {settled - bounds.begin} before it are kept:"
        " retention will delete it; raise retention.ms and retention.bytes, or add consumers",
    )


def _compacted(topic: str, of_topic: Settings) -> dict[str, str]:
    if "compact" not in of_topic.get("cleanup.policy", "delete"):
        return {}
    return {
        "compacted": "cleanup.policy has compact: Kafka deletes all but the last message of a key,"
        " and refuses messages without one; set cleanup.policy=delete"
    }


def _number(of_topic: Settings, name: str, default: int = -1) -> int:
    try:
        return int(of_topic[name])
    except (KeyError, ValueError):
        return default


class TopicSettingsWatch:
    """Says what begins, what lasts once a minute, and what ends."""

    def __init__(
        self,
        admin: AIOKafkaAdminClient,
        topics: tuple[str, str],
        settled: Callable[[], Mapping[TopicPartition, int]],
        offset_store: Callable[[], KafkaOffsetStore],
        least_retention_s: float,
        *,
        state: State,
    ) -> None:
        """`topics`: of events, of dead letters. `state`: is told what was found."""
        self._admin = admin
        self._topic, self._dead_letters = topics
        self._settled = settled
        self._commits = offset_store
        self._least_retention_s = least_retention_s
        self._found: dict[tuple[str, str], Concern] = {}
        self._forbidden: set[str] = set()
        self._state = state
        state.topics = topics

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                self._say(await self._look())
            except KafkaError as error:
                log.debug("cannot look at the topics' configuration: %s", first_line(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def _look(self) -> list[Concern]:
        events = await self._configuration(self._topic)
        letters = await self._configuration(self._dead_letters)
        found = []
        if events is not None:
            found += concerns(self._topic, events, self._least_retention_s)
            found += await self._near(events)
        if letters is not None:
            found += dead_letter_concerns(self._dead_letters, letters, events or {})
        return found

    async def _near(self, events: Settings) -> list[Concern]:
        found = []
        offset_store = self._commits()
        for partition, settled in self._settled().items():
            bounds = await offset_store.bounds(partition)
            if settled >= bounds.end or settled < bounds.begin:
                continue
            records = (await offset_store.read(partition, settled)).records
            waits_ms = time.time() * 1000 - records[0].timestamp if records else 0
            if one := near_deletion(partition, settled, bounds, waits_ms, events):
                found.append(one)
        return found

    async def _configuration(self, topic: str) -> dict[str, str] | None:
        """None: it may not be looked at, or the topic is not there."""
        code, text, found = await configuration(self._admin, topic)
        if code:
            if code in _FORBIDDEN and topic not in self._forbidden:
                self._forbidden.add(topic)
                log.warning(
                    "the configuration of topic %s could not be looked at (%s): allow"
                    " DescribeConfigs, or see to cleanup.policy and retention yourself",
                    *(topic, text or for_code(code).__name__),
                )
            return None
        return found

    def _say(self, concerns: list[Concern]) -> None:
        found = {(one.topic, one.kind): one for one in concerns}
        for one in found.values():
            log.warning("topic %s: %s", one.topic, one.text)
        for topic, kind in self._found.keys() - found.keys():
            log.info("topic %s: %s is over", topic, kind)
        self._found = found
        self._state.concerns = frozenset(found)


# TOPIC_, CLUSTER_AUTHORIZATION_FAILED
_FORBIDDEN = (29, 31)
