"""The FastStream application: one batch subscriber, its health pages, its AsyncAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import ConsumerRebalanceListener, ConsumerRecord
from faststream import AckPolicy, FastStream
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.asgi.types import Scope
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import StreamMessage
from faststream.security import (
    BaseSecurity,
    SASLOAuthBearer,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)
from faststream.specification import AsyncAPI

from activity_consume.settings import ConsumerSettings
from activity_consume.sources.group_consumer import Broker, Hooks
from activity_consume.sources.sticky import StickyRoundRobin
from activity_kafka.settings import KafkaSettings
from activity_schemas.event import ActivityEvent
from activity_telemetry.exposition import CONTENT_TYPE, is_served_on

Isolation = Literal["read_committed", "read_uncommitted"]
Records = tuple[ConsumerRecord, ...]

# One answer of the broker, all partitions, and of each partition: what may lie in memory unread.
_FETCH_BYTES = 4 << 20
_FETCH_PARTITION_BYTES = 1 << 20
# Added partitions are seen within this, and then the group is joined anew.
_METADATA_MAX_AGE_MS = 3000
# Records handed over at once; judging so many takes some ms of the event loop, in which
# nothing of an insert's body is sent.
_MOST_RECORDS = 1500


@dataclass(frozen=True, slots=True)
class Pages:
    """What the health pages ask. `ready` gives '' or the reason why not; `metrics_port`: the one
    port that has the metrics, None for any."""

    ready: Callable[[], str]
    metrics: Callable[[], bytes]
    metrics_port: int | None = None


def build(
    kafka: KafkaSettings,
    settings: ConsumerSettings,
    listener: ConsumerRebalanceListener | None,
    take: Callable[[Records], Awaitable[None]],
    security: Mapping[str, Any],
    *,
    hooks: Hooks | None = None,
    isolation_level: Isolation = "read_committed",
) -> tuple[FastStream, BatchSubscriber]:
    """The application, not started, and its subscriber, which holds the client once it is.

    `security`: aiokafka's arguments, see KafkaSecuritySettings.
    """
    broker = Broker(
        kafka.servers,
        hooks=hooks,
        # No producer and no administrator of FastStream's, which nobody would use.
        consumer_only=True,
        client_id="activity-consumer",
        security=_security(security),
        sasl_oauth_token_provider=security.get("sasl_oauth_token_provider"),
        # The handler gets the records as they are; FastStream would validate them against its
        # annotation, which is there for the AsyncAPI document.
        apply_types=False,
        logger=None,
        allow_auto_create_topics=False,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
        description="The activity events' way from services into ClickHouse.",
    )
    subscriber = broker.subscriber(
        kafka.topic,
        batch=True,
        group_id=kafka.group_id,
        group_instance_id=settings.instance_id or None,
        listener=listener,
        ack_policy=AckPolicy.MANUAL,
        parser=_parse,
        decoder=_decode,
        # A take-over seeks; where the topic has no such offset later on, Unreadables says so.
        auto_offset_reset="none",
        # An aborted transaction's events were never sent.
        isolation_level=isolation_level,
        batch_timeout_ms=50,
        max_records=_MOST_RECORDS,
        fetch_max_bytes=_FETCH_BYTES,
        max_partition_fetch_bytes=_FETCH_PARTITION_BYTES,
        fetch_max_wait_ms=200,
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        # By its answer alone a member learns of a rebalance, and all wait for the last to learn.
        heartbeat_interval_ms=settings.heartbeat_ms,
        partition_assignment_strategy=(StickyRoundRobin(),),
        # Fetching stops while ClickHouse is away and memory is full: no reason to leave the group.
        max_poll_interval_ms=24 * 3600 * 1000,
        title="activity_events",
        description="Events in batches, each written to ClickHouse once (docs/adr/0001).",
    )

    @subscriber
    async def consume(event: ActivityEvent) -> None:
        await take(event)  # type: ignore[arg-type]  # records: see apply_types above

    app = FastStream(
        broker, logger=None, specification=AsyncAPI(title="Activity events", version="1")
    )
    return app, subscriber


def pages_app(pages: Pages) -> AsgiFastStream:
    """`/healthz`, `/readyz`, `/metrics`: an application of its own, because a consumer that waits
    for Kafka must answer already."""

    @get
    async def healthz(scope: Scope) -> AsgiResponse:
        return _text(200, "ok")

    @get
    async def readyz(scope: Scope) -> AsgiResponse:
        reason = pages.ready()
        return _text(503, reason) if reason else _text(200, "ok")

    @get
    async def metrics(scope: Scope) -> AsgiResponse:
        if not is_served_on(scope, pages.metrics_port):
            return _text(404, "the metrics are on another port: ACTIVITY_CONSUMER_METRICS_PORT")
        return AsgiResponse(pages.metrics(), 200, headers={"content-type": CONTENT_TYPE})

    routes = [("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)]
    return AsgiFastStream(logger=None, asgi_routes=routes)


def asyncapi(kafka: KafkaSettings) -> dict[str, Any]:
    """The AsyncAPI document; needs no broker."""

    async def nothing(records: Records) -> None:
        del records

    app, _ = build(kafka, ConsumerSettings(), None, nothing, {})
    document: dict[str, Any] = app.schema.to_specification().to_jsonable()
    return document


def _security(options: Mapping[str, Any]) -> BaseSecurity | None:
    """FastStream has classes for what aiokafka has arguments for."""
    if not options:
        return None
    context = options.get("ssl_context")
    mechanism = options.get("sasl_mechanism")
    if mechanism is None:
        return BaseSecurity(ssl_context=context)
    if mechanism == "OAUTHBEARER":
        return SASLOAuthBearer(ssl_context=context)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    name, password = options["sasl_plain_username"], options["sasl_plain_password"]
    security: BaseSecurity = kinds[mechanism](name, password, ssl_context=context)
    return security


async def _parse(records: Records) -> StreamMessage[Records]:
    # FastStream's own decodes every header and makes a message of each record: a tenth of the
    # speed, and a header that is not UTF-8 ends the batch.
    return KafkaMessage(
        body=b"", raw_message=records, consumer=FAKE_CONSUMER, message_id="", correlation_id=""
    )


async def _decode(message: StreamMessage[Records]) -> Records:
    return message.raw_message


def _text(status: int, text: str) -> AsgiResponse:
    return AsgiResponse(
        text.encode(), status, headers={"content-type": "text/plain; charset=utf-8"}
    )
