"""A topic as the brokers know it now: its id, its cluster's id, how many partitions it has.

aiokafka speaks Metadata up to version 5, which has no topic ids; version 10 has (Kafka 2.8). What
the clients keep in memory may be old by minutes, so this asks each time.
"""

import asyncio
import random
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoError,
    RequestTimedOutError,
    StaleMetadata,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v2, MetadataRequest_v5
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_NO_ID = bytes(16)
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    """`cluster_id`, `topic_id`: '' where the broker tells none. `partitions`: 0 where the topic
    does not exist."""

    cluster_id: str
    topic_id: str
    partitions: int


async def describe(admin: AIOKafkaAdminClient, topic: str) -> TopicMetadata:
    """Asks a broker, and then those that lead the topic's partitions: what is fetched comes from
    them. Raises KafkaError, also where they do not agree yet."""
    client = admin._client
    first = await _first_answer(client, topic)
    found, leaders = _read(first, topic)
    if len(first.brokers) > 1:
        answers = await asyncio.gather(
            *(_ask(client, node, topic) for node in leaders), return_exceptions=True
        )
        others = [_read(one, topic)[0] for one in answers if not isinstance(one, BaseException)]
        if any(one.topic_id != found.topic_id for one in others):
            raise StaleMetadata(f"the brokers do not agree which topic {topic} is")
        most = max([found.partitions, *(one.partitions for one in others)])
        return TopicMetadata(found.cluster_id, found.topic_id, most)
    return found


async def _first_answer(client: AIOKafkaClient, topic: str) -> Any:
    """Of any broker: one that is away, or hangs, is passed over."""
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    random.shuffle(nodes)
    failed: KafkaError = KafkaConnectionError("no broker is known")
    for node in nodes:
        try:
            return await _ask(client, node, topic)
        except KafkaError as error:
            failed = error
    raise failed


async def _ask(client: AIOKafkaClient, node: int, topic: str) -> Any:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await client.send(node, _Request(topic))
    except TimeoutError:
        raise RequestTimedOutError(f"broker {node}: no answer") from None


def _read(answer: Any, topic: str) -> tuple[TopicMetadata, set[int]]:
    read = answer.to_object()
    [of_topic] = read["topics"]
    code = of_topic["error_code"]
    if code not in (NoError.errno, UnknownTopicOrPartitionError.errno, _LEADERLESS):
        raise for_code(code)(topic)
    id_ = of_topic.get("topic_id", _NO_ID)
    partitions = of_topic["partitions"]
    leaders = {one["leader"] for one in partitions if one["leader"] >= 0}
    topic_id = "" if id_ == _NO_ID else str(UUID(bytes=id_))
    return TopicMetadata(read["cluster_id"] or "", topic_id, len(partitions)), leaders


_LEADERLESS = 5


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_TEXT = CompactString("utf-8")
_NODES = CompactArray(Int32)


class _Response_v10(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", _TEXT),
                ("port", Int32),
                ("rack", _TEXT),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _NODES),
                        ("isr", _NODES),
                        ("offline_replicas", _NODES),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _Request_v10(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response_v10
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Request(Request[MetadataRequest_v2 | MetadataRequest_v5 | _Request_v10]):  # type: ignore[misc]
    """The highest version that the broker knows."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class.API_VERSION >= 10:
            return request_struct_class([(_NO_ID, self._topic, {})], False, False, False, {})
        if request_struct_class.API_VERSION >= 4:
            return request_struct_class([self._topic], False)
        return request_struct_class([self._topic])
