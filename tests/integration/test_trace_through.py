"""One trace through all of it: a service's span, the message's header, the insert, a reader."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from activity_api.app import create_app
from activity_api.settings import KafkaSettings as ApiKafkaSettings
from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Committed, LogBounds
from activity_consume.delivery.open_partition import PartitionOpener
from activity_consume.erasure.known import Erasures
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.settled_offsets import SettledOffsets
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
from tests.support.consumer import messages, rows_arrive
from tests.support.query import bearer, settings


class Offsets:
    """A partition that nobody has read before, and nobody else wants."""

    async def commit(self, partition: TopicPartition, offset: int, lease: Lease) -> None:
        pass

    async def committed(self, partition: TopicPartition) -> Committed | None:
        return None

    async def bounds(self, partition: TopicPartition) -> LogBounds:
        return LogBounds(0, 1)


async def test_one_trace(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    database: str,
    *,
    clickhouse_url: str,
    spans: InMemorySpanExporter,
    tmp_path: Path,
) -> None:
    publisher = KafkaPublisher(
        KafkaSettings(bootstrap_servers=kafka_bootstrap, topic=topic),
        EmitSettings.model_validate({"worker": "thread", "traceparent": True}),
        SpoolSettings(dir=tmp_path),
    )
    tracer = TracerProvider().get_tracer("a service")
    with publisher, tracer.start_as_current_span("a job") as span:
        context = span.get_span_context()
        publisher.record(
            org_id="o",
            action="read",
            trace_id=f"{context.trace_id:032x}",
            metadata={"span_id": f"{context.span_id:016x}"},
        )
        [record] = await messages(kafka_bootstrap, topic, 1)
    header = dict(record.headers)["traceparent"]
    assert header == f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode()

    # The consumer's own writer, on the real engine.
    stats, config = Stats(), ConsumerSettings()
    opener = PartitionOpener(
        *(ClickHouseSink(clickhouse), DeadLetterWriter(None, "", clickhouse), config, stats),
        *(MemoryBudget(1 << 20, 2), Erasures(clickhouse, 1.0, 10), SettledOffsets(clickhouse)),
    )
    partition = TopicPartition(topic, record.partition)
    writer = await opener.open(partition, Offsets(), lambda: 1)
    writing = asyncio.create_task(writer.run())
    writer.accumulator.add([record], record.timestamp / 1000)
    writer.close()
    await writing
    await rows_arrive(clickhouse, 1)
    [insert] = [one for one in spans.get_finished_spans() if one.name == "insert"]
    assert insert.parent is not None
    assert insert.parent.span_id == context.span_id
    assert trace_of(insert) == context.trace_id

    # And whoever reads it, in a trace of their own.
    async for client in reading(clickhouse_url, database, topic):
        asked = {"traceparent": header.decode(), **bearer("o")}
        answer = await client.get("/v1/orgs/o/activity", headers=asked)
        assert answer.status_code == 200
    [request] = [one for one in spans.get_finished_spans() if one.name.startswith("GET /v1/orgs/")]
    assert trace_of(request) == context.trace_id
    queries = [one for one in spans.get_finished_spans() if one.name == "clickhouse"]
    assert context.trace_id in {trace_of(one) for one in queries}


def trace_of(span: ReadableSpan) -> int:
    found: trace.SpanContext | None = span.context
    assert found is not None
    return found.trace_id


async def reading(url: str, database: str, topic: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings(url, database, kafka=ApiKafkaSettings(topic=topic)))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client
