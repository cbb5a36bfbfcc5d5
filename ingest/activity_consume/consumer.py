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
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.clients import Clients
from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.incarnations import Incarnations
from activity_consume.delivery.offsets import Commits
from activity_consume.health import Part
from activity_consume.metrics import Stats
from activity_consume.probes import Probes
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, first_line
from activity_consume.sink.watermark import ProgressReport
from activity_consume.sources.client import Hooks
from activity_consume.sources.kafka import Assignment, StopError
from activity_consume.sources.kafka_log import KafkaLog
from activity_consume.sources.spool import Spools
from activity_consume.sources.subscriber import Isolation, Pages, build, pages_app
from activity_consume.sources.topic_guard import TopicGuard
from activity_consume.sources.topic_metadata import describe
from activity_consume.sources.topic_settings import TopicSettingsWatch
from activity_kafka.settings import (
    ClickHouseSettings,
    KafkaSecuritySettings,
    KafkaSettings,
    TransportSettings,
)
from activity_spool.progress import DIRECTORY
from activity_spool.settings import SpoolSettings

log = logging.getLogger(__name__)
T = TypeVar("T")

_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of; the fault tests take one protection out of one of them."""

    store: type[EventStore] = EventStore
    commits: type[Commits] = Commits
    dead_letters: type[DeadLetters] = DeadLetters
    isolation_level: Isolation = "read_committed"
    topic: type[TopicGuard] = TopicGuard
    progress: type[ProgressReport] = ProgressReport


class Service:
    """One consumer of the group, with its health pages."""

    def __init__(
        self,
        kafka: KafkaSettings,
        clickhouse: ClickHouseSettings,
        settings: ConsumerSettings,
        parts: Parts | None = None,
    ) -> None:
        self._parts = parts or Parts()
        self._security = security_options()
        self._clients = Clients(kafka, clickhouse, settings, self._security)
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._settings = settings
        self._stats = Stats()
        self._probes = Probes(self._stats.health)
        #: Of what is there only once Kafka is reached.
        self._more_metrics: Callable[[], str] = lambda: ""
        self._not_ready = "starting"
        #: Why nothing goes on, '' if it does; the application's own once that is there.
        self._ready: Callable[[], str] = lambda: self._not_ready

    async def run(self, listener: socket.socket) -> None:
        """Until SIGTERM or SIGINT. Raises StopError when it must not go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn catches them first, and raises them once more when it has ended.
            signal.signal(number, lambda *_: None)
        pages = pages_app(Pages(self._not_ready_because, self._metrics))
        config = uvicorn.Config(pages, lifespan="off", log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
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

    def _metrics(self) -> str:
        return self._stats.prometheus(ready=not self._ready()) + self._more_metrics()

    async def _consume(self, until: "asyncio.Task[None]") -> None:
        async with contextlib.AsyncExitStack() as stack:
            _run(stack, self._probes.tick())
            client = await self._reach(Part.CLICKHOUSE, "ClickHouse", self._clients.clickhouse)
            stack.push_async_callback(client.close)
            _run(stack, self._probes.clickhouse(client, self._clickhouse.database))
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
        spools = Spools(
            directory,
            self._parts.store(client),
            self._parts.dead_letters(None, "", client),
            self._settings,
            self._stats,
        )
        self._ready = lambda: self._not_ready or self._stats.trouble
        stack.push_async_callback(spools.close)
        reading = asyncio.create_task(spools.run())
        stack.callback(reading.cancel)
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

        def connected() -> tuple[AIOKafkaConsumer, Commits]:
            consumer = subscriber.consumer
            if consumer is None:
                raise StopError("the Kafka consumer is not started")
            return consumer, self._parts.commits(consumer, admin, kafka.group_id, kafka_log)

        store = self._parts.store(client)
        topic = self._parts.topic(
            kafka.topic,
            lambda: describe(admin, kafka.topic),
            Incarnations(client),
            store.now_ms,
            self._settings.change_grace_s,
        )
        assignment = Assignment(
            store,
            self._parts.dead_letters(producer, kafka.dead_letter_topic, client),
            self._settings,
            self._stats,
            connected,
            topic=topic,
        )
        app, subscriber = build(
            *(kafka, self._settings, assignment, assignment.take, self._security),
            hooks=Hooks(assignment.failed, assignment.idle),
            isolation_level=self._parts.isolation_level,
        )
        self._ready = lambda: self._reason(assignment, subscriber.consumer)
        await self._reach(Part.KAFKA, "Kafka", app.start)
        stack.push_async_callback(app.stop)
        stack.push_async_callback(assignment.close)
        report = self._parts.progress(
            *(client, store, assignment.settled, topic.check),
            kafka=kafka_log,
            stats=self._stats,
        )
        of_topics = TopicSettingsWatch(
            admin,
            (kafka.topic, kafka.dead_letter_topic),
            assignment.settled,
            lambda: connected()[1],
            self._settings.least_retention_s,
        )
        self._more_metrics = of_topics.prometheus
        guarding = topic.watch(assignment.stop)
        for work in (report.run(), assignment.watch(), guarding, of_topics.run()):
            _run(stack, work)
        log.info("consuming %s as %s", kafka.topic, kafka.group_id)
        return assignment.stopped

    async def _reach(self, part: Part, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                reached = await attempt()
            except (ClickHouseError, KafkaError) as error:
                self._not_ready = f"{what} is not to be reached: {first_line(error)}"
                self._stats.health.failed("start", part, f"{self._not_ready}; trying again")
            else:
                self._stats.health.recovered("start")
                return reached
            await asyncio.sleep(_RETRY_SECONDS)

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


def security_options() -> dict[str, Any]:
    """Of the environment. Raises StopError for a certificate that cannot be read."""
    try:
        return KafkaSecuritySettings().client_options()
    except OSError as error:
        raise StopError(f"ACTIVITY_KAFKA_SSL_*FILE: {error}") from error


def listen(host: str, port: int) -> socket.socket:
    """The socket of the health pages. Raises StopError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StopError(
            f"cannot listen on {host}:{port}: {error.strerror}; set ACTIVITY_CONSUMER_PORT"
        ) from error
    return listener
