"""The consumer as a service: starts, runs until told to stop, ends with everything written."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import clickhouse_connect
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.dead_letter.writer import DeadLetters
from activity_consume.delivery.offsets import Commits
from activity_consume.metrics import Stats
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, first_line
from activity_consume.sink.watermark import ProgressReport
from activity_consume.sources.kafka import Assignment, StopError
from activity_consume.sources.spool import Spools
from activity_consume.sources.subscriber import Pages, build, pages_app
from activity_emit.settings import SpoolSettings
from activity_kafka.settings import (
    ClickHouseSettings,
    KafkaSecuritySettings,
    KafkaSettings,
    TransportSettings,
)
from activity_spool.progress import DIRECTORY

log = logging.getLogger(__name__)
T = TypeVar("T")

_RETRY_SECONDS = 1.0
# A dead letter is the original message and its reason: give it room (the topic must, too).
_MAX_REQUEST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of; the fault tests take one protection out of one of them."""

    store: type[EventStore] = EventStore
    commits: type[Commits] = Commits
    dead_letters: type[DeadLetters] = DeadLetters


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
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._settings = settings
        self._stats = Stats()
        self._not_ready = "starting"
        #: Why nothing goes on, '' if it does; the application's own once that is there.
        self._ready: Callable[[], str] = lambda: self._not_ready

    async def run(self, listener: socket.socket) -> None:
        """Until SIGTERM or SIGINT. Raises StopError when it must not go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn catches them first, and raises them once more when it has ended.
            signal.signal(number, lambda *_: None)
        pages = pages_app(Pages(self._not_ready_because, self._stats.prometheus))
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

    async def _consume(self, until: "asyncio.Task[None]") -> None:
        async with contextlib.AsyncExitStack() as stack:
            client = await self._reach("ClickHouse", self._open_clickhouse)
            stack.push_async_callback(client.close)
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
        producer = await self._reach("Kafka", self._open_producer)
        stack.push_async_callback(producer.stop)
        admin = await self._reach("Kafka", self._open_admin)
        stack.push_async_callback(admin.close)

        def connected() -> tuple[AIOKafkaConsumer, Commits]:
            consumer = subscriber.consumer
            if consumer is None:
                raise StopError("the Kafka consumer is not started")
            return consumer, self._parts.commits(consumer, admin, kafka.group_id, self._reader)

        store = self._parts.store(client)
        assignment = Assignment(
            store,
            self._parts.dead_letters(producer, kafka.dead_letter_topic, client),
            self._settings,
            self._stats,
            connected,
        )
        app, subscriber = build(kafka, self._settings, assignment, assignment.take, self._security)
        self._ready = lambda: self._reason(assignment, subscriber.consumer)
        await self._reach("Kafka", app.start)
        stack.push_async_callback(app.stop)
        stack.push_async_callback(assignment.close)
        report = ProgressReport(client, store, lambda: connected()[0], assignment.settled)
        for work in (report.run(), assignment.watch()):
            stack.callback(asyncio.create_task(work).cancel)
        log.info("consuming %s as %s", kafka.topic, kafka.group_id)
        return assignment.stopped

    async def _open_clickhouse(self) -> AsyncClient:
        return await clickhouse_connect.get_async_client(
            dsn=self._clickhouse.url,
            **self._clickhouse.login(),
            database=self._clickhouse.database,
            # Several queries run on one client at once.
            autogenerate_session_id=False,
            send_receive_timeout=self._settings.insert_timeout_s,
            connect_timeout=5,
            compress=False,
        )

    async def _open_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka.servers,
            client_id="activity-consumer-dlq",
            acks="all",
            enable_idempotence=True,
            max_request_size=_MAX_REQUEST_BYTES,
            **self._security,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    def _reader(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._kafka.servers,
            client_id="activity-consumer-reader",
            group_id=None,
            auto_offset_reset="none",
            **self._security,
        )

    async def _open_admin(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._kafka.servers,
            client_id="activity-consumer-admin",
            **self._security,
        )
        try:
            await admin.start()
        except BaseException:
            await admin.close()
            raise
        return admin

    async def _reach(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await attempt()
            except (ClickHouseError, KafkaError) as error:
                self._not_ready = f"{what} is not to be reached: {first_line(error)}"
                log.warning("%s; trying again", self._not_ready)
            await asyncio.sleep(_RETRY_SECONDS)

    def _reason(self, assignment: Assignment, consumer: AIOKafkaConsumer | None) -> str:
        """'' when events are on their way into the table, else why they are not."""
        if self._not_ready or consumer is None:
            return self._not_ready or "stopping"
        if not consumer.partitions_for_topic(self._kafka.topic):
            return f"topic {self._kafka.topic} does not exist; create it"
        return self._stats.trouble or ("" if assignment.ready else "joining the group")


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
