"""The commands' clients of ClickHouse and Kafka, as the environment says; away is one line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.brokers.kafka_log import KafkaLog
from activity_consume.settings import ClickHouseSettings
from activity_deploy.errors import UserError, first_line
from activity_kafka.dead_letters import dead_letter_producer
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings
from activity_telemetry.logs import silence

# Until Kafka is said to be away, or to have no such topic.
_PATIENCE_MS = 10_000


@asynccontextmanager
async def clickhouse(
    advice: str = "is it up, is it migrated, is ACTIVITY_CLICKHOUSE_URL right?", **options: Any
) -> AsyncIterator[AsyncClient]:
    """Raises UserError with this advice, also for what the engine answers to a query in the
    context. `options`: further arguments of clickhouse_connect's client."""
    _be_quiet()
    settings = ClickHouseSettings()
    try:
        async with await clickhouse_connect.get_async_client(
            dsn=settings.url,
            **settings.login(),
            database=settings.database,
            autogenerate_session_id=False,
            **options,
        ) as client:
            yield client
    except ClickHouseError as error:
        raise UserError(
            f"ClickHouse at {urlsplit(settings.url).netloc.rpartition('@')[2]}:"
            f" {first_line(error)}; {advice}"
        ) from None


@asynccontextmanager
async def kafka_admin(client_id: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Raises UserError, also for what Kafka answers in the context."""
    async with _kafka() as connection:
        admin = AIOKafkaAdminClient(client_id=client_id, **connection)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def kafka_log(client_id: str) -> AsyncIterator[KafkaLog]:
    """To read topics beside every group. Raises UserError, also for what Kafka answers in the
    context."""
    async with _kafka() as connection:
        client = AIOKafkaClient(client_id=client_id, **connection)
        try:
            await client.bootstrap()
            yield KafkaLog(client)
        finally:
            await client.close()


@asynccontextmanager
async def kafka_producer(client_id: str) -> AsyncIterator[AIOKafkaProducer]:
    """For dead letters. Raises UserError, also for what Kafka answers in the context."""
    async with _kafka() as connection:
        producer = dead_letter_producer(client_id, connection)
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()


@asynccontextmanager
async def _kafka() -> AsyncIterator[dict[str, Any]]:
    _be_quiet()
    settings, security = KafkaSettings(), KafkaSecuritySettings()
    try:
        options = security.client_options()
    except ValueError as error:
        raise UserError(str(error)) from None
    try:
        yield {
            "bootstrap_servers": settings.servers,
            "request_timeout_ms": _PATIENCE_MS,
            **options,
        }
    except KafkaError as error:
        raise UserError(
            f"Kafka at {settings.bootstrap_servers}: {first_line(error)};"
            " is it up, and is ACTIVITY_KAFKA_BOOTSTRAP_SERVERS right?"
        ) from None


def _be_quiet() -> None:
    """What the libraries log of an unreachable server, the UserError says."""
    silence()
