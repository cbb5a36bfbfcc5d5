"""The consumer as a service: starts, runs until told to stop, ends with everything written."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvicorn
from aiokafka import AIOKafkaConsumer
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.batching.memory_budget import MemoryBudget
from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.brokers.topic_metadata import describe
from activity_consume.clients import Clients, security_options
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.delivery.offsets import KafkaOffsetStore
from activity_consume.delivery.open_partition import PartitionOpener
from activity_consume.erasure.known import Erasures
from activity_consume.errors import StopError, first_line
from activity_consume.health import Part
from activity_consume.metrics import Stats
from activity_consume.probes import Probes
from activity_consume.retry import keep_trying
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.incarnations import Incarnations
from activity_consume.sink.settled_offsets import SettledOffsets, SettledReporter
from activity_consume.sink.watermark import WatermarkReporter
from activity_consume.sources.assignment import Assignment
from activity_consume.sources.group_consumer import Hooks
from activity_consume.sources.spool import Spools
from activity_consume.sources.subscriber import Isolation, Pages, build, pages_app
from activity_consume.sources.topic_guard import TopicGuard
from activity_consume.sources.topic_settings import TopicSettingsWatch
from activity_http.limits import HttpLimits
from activity_http.server import options
from activity_kafka.settings import KafkaSettings, TransportSettings
from activity_spool.progress import DIRECTORY
from activity_spool.settings import SpoolSettings

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Components:
    """What the service is made of; the fault tests take one protection out of one of them."""

    sink: type[ClickHouseSink] = ClickHouseSink
    offset_store: type[KafkaOffsetStore] = KafkaOffsetStore
    dead_letters: type[DeadLetterWriter] = DeadLetterWriter
    isolation_level: Isolation = "read_committed"
    topic: type[TopicGuard] = TopicGuard
    watermark: type[WatermarkReporter] = WatermarkReporter
    erasures: type[Erasures] = Erasures


class Service:
    """One consumer of the group, with its health pages."""

    def __init__(
        self,
        kafka: KafkaSettings,
        clickhouse: ClickHouseSettings,
        settings: ConsumerSettings,
        components: Components | None = None,
    ) -> None:
        self._components = components or Components()
        self._security = security_options()
        self._clients = Clients(kafka, clickhouse, settings, self._security)
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._settings = settings
        self._limits = HttpLimits()
        self._stats = Stats()
        self._probes = Probes(self._stats.health, self._stats.state)
        self._stats.state.topics = (kafka.topic, kafka.dead_letter_topic)
        self._not_ready = "starting"
        #: Why nothing goes on, '' if it does; the application's own once that is there.
        self._ready: Callable[[], str] = lambda: self._not_ready

    async def run(self, listener: socket.socket, metrics: socket.socket | None = None) -> None:
        """Until SIGTERM or SIGINT. `metrics`: a socket that alone has the metrics. Raises StopError
        when it must not go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn catches them first, and raises them once more when it has ended.
            signal.signal(number, lambda *_: None)
        port = metrics.getsockname()[1] if metrics else None
        pages = pages_app(Pages(self._not_ready_because, self._metrics, port))
        config = uvicorn.Config(pages, lifespan="off", **options(self._limits))
        server = uvicorn.Server(config)
        sockets = [listener, metrics] if metrics else [listener]
        serving = asyncio.create_task(server.serve(sockets=sockets))
        consuming = asyncio.create_task(self._consume(serving))
        try:
            await asyncio.wait((serving, consuming), return_when=asyncio.FIRST_COMPLETED)
            if serving.done() and self._not_ready:  # still waiting for Kafka or ClickHouse
                consuming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await consuming
        finally:
            server.should_exit = True
            await serving

    def _not_ready_because(self) -> str:
        return self._ready()

    def _metrics(self) -> bytes:
        return self._stats.prometheus(ready=not self._ready())

    async def _consume(self, until: "asyncio.Task[None]") -> None:
        async with contextlib.AsyncExitStack() as stack:
            _run(stack, self._probes.tick())
            client = await self._reach(Part.CLICKHOUSE, "ClickHouse", self._clients.clickhouse)
            stack.push_async_callback(client.close)
            _run(stack, self._probes.clickhouse(client, self._clickhouse.database))
            _run(stack, self._probes.schema(client, self._clickhouse))
            if TransportSettings().transport == "kafka":
                stopped = await self._from_kafka(client, stack)
            else:
                stopped = await self._from_spools(client, stack)
            self._not_ready = ""
            await asyncio.wait((until, stopped), return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping: writing what is in memory")
        if stopped.done() and not stopped.cancelled():
            stopped.result()
        log.info("stopped")

    async def _from_spools(
        self, client: AsyncClient, stack: contextlib.AsyncExitStack
    ) -> "asyncio.Future[None]":
        """Start reading the spools; the future ends when it must not go on."""
        directory = SpoolSettings().dir / DIRECTORY
        dead_letters = self._components.dead_letters(None, "", client)
        opener = self._opener(client, dead_letters, stack)
        spools = Spools(directory, opener)
        self._ready = lambda: self._not_ready or self._stats.trouble
        stack.push_async_callback(spools.close)
        reading = asyncio.create_task(spools.run())
        stack.callback(reading.cancel)
        _run(stack, SettledReporter(opener.settled, spools.settled, self._stats.health).run())
        log.info("consuming the spools of %s", directory)
        return reading

    async def _from_kafka(
        self, client: AsyncClient, stack: contextlib.AsyncExitStack
    ) -> "asyncio.Future[None]":
        """Join the group; the future ends when it must not go on."""
        kafka = self._kafka
        clients = self._clients
        producer = await self._reach(Part.KAFKA, "Kafka", clients.producer)
        stack.push_async_callback(producer.stop)
        admin = await self._reach(Part.KAFKA, "Kafka", clients.admin)
        stack.push_async_callback(admin.close)
        beside = await self._reach(Part.KAFKA, "Kafka", clients.log)
        stack.push_async_callback(beside.close)
        kafka_log = KafkaLog(beside)
        _run(stack, self._probes.kafka(kafka_log, kafka))

        def connected() -> tuple[AIOKafkaConsumer, KafkaOffsetStore]:
            consumer = subscriber.consumer
            if consumer is None:
                raise StopError("the Kafka consumer is not started")
            return consumer, self._components.offset_store(
                consumer, admin, kafka.group_id, kafka_log
            )

        dead_letters = self._components.dead_letters(producer, kafka.dead_letter_topic, client)
        opener = self._opener(client, dead_letters, stack)
        topic = self._components.topic(
            kafka.topic,
            lambda: describe(admin, kafka.topic),
            Incarnations(client),
            opener.sink.now_ms,
            self._settings.change_grace_s,
        )
        assignment = Assignment(opener, connected, topic=topic)
        router = assignment.router
        app, subscriber = build(
            *(kafka, self._settings, assignment, router.take, self._security),
            hooks=Hooks(router.failed, router.idle),
            isolation_level=self._components.isolation_level,
        )
        self._ready = lambda: self._reason(assignment, subscriber.consumer)
        await self._reach(Part.KAFKA, "Kafka", app.start)
        stack.push_async_callback(app.stop)
        stack.push_async_callback(assignment.close)
        report = self._components.watermark(
            *(client, opener.sink, assignment.settled, topic.check),
            kafka=kafka_log,
            stats=self._stats,
            offsets=opener.settled,
        )
        settled = SettledReporter(opener.settled, assignment.settled, self._stats.health)
        of_topics = TopicSettingsWatch(
            admin,
            (kafka.topic, kafka.dead_letter_topic),
            assignment.settled,
            lambda: connected()[1],
            self._settings.least_retention_s,
            state=self._stats.state,
        )
        guarding = topic.watch(assignment.stop)
        for work in (report.run(), settled.run(), assignment.watch(), guarding, of_topics.run()):
            _run(stack, work)
        log.info("consuming %s as %s", kafka.topic, kafka.group_id)
        return assignment.stopped

    def _opener(
        self,
        client: AsyncClient,
        dead_letters: DeadLetterWriter,
        stack: contextlib.AsyncExitStack,
    ) -> PartitionOpener:
        settings = self._settings
        memory = MemoryBudget(settings.buffer_max_bytes, settings.insert_max_concurrent)
        self._stats.state.buffered = lambda: memory.used
        sink = self._components.sink(client, self._clickhouse.cluster or "")
        erasures = self._components.erasures(
            client, settings.erasures_refresh_s, settings.erasures_max
        )
        _run(stack, erasures.watch())
        return PartitionOpener(
            *(sink, dead_letters, settings, self._stats, memory, erasures), SettledOffsets(client)
        )

    async def _reach(self, part: Part, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        def failed(error: Exception) -> None:
            self._not_ready = f"{what} is not to be reached: {first_line(error)}"
            self._stats.health.failed("start", part, f"{self._not_ready}; trying again")

        reached = await keep_trying(attempt, failed)
        self._stats.health.recovered("start")
        return reached

    def _reason(self, assignment: Assignment, consumer: AIOKafkaConsumer | None) -> str:
        """'' when events are on their way into the table, else why they are not."""
        if self._not_ready or consumer is None:
            return self._stats.trouble or self._not_ready or "stopping"
        if trouble := self._stats.trouble:
            return trouble
        if not consumer.partitions_for_topic(self._kafka.topic):
            return f"topic {self._kafka.topic} does not exist; create it"
        return assignment.pending


def _run(stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Beside all else, until the stack is unwound to here."""
    stack.callback(asyncio.create_task(work).cancel)
