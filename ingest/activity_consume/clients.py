"""The consumer's clients of Kafka and ClickHouse."""

from typing import Any

import clickhouse_connect
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.errors import StopError
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_kafka.dead_letters import dead_letter_producer
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings

# Whoever looks beside the group may hold everything up meanwhile.
_LOG_TIMEOUT_MS = 5000


class Clients:
    """Makes them. Everything raises KafkaError or ClickHouseError: try again."""

    def __init__(
        self,
        kafka: KafkaSettings,
        clickhouse: ClickHouseSettings,
        settings: ConsumerSettings,
        security: dict[str, Any],
    ) -> None:
        """`security`: aiokafka's arguments, see KafkaSecuritySettings."""
        self._clickhouse = clickhouse
        self._settings = settings
        self._kafka = {"bootstrap_servers": kafka.servers, **security}

    async def clickhouse(self) -> AsyncClient:
        """For queries and inserts."""
        return await clickhouse_connect.get_async_client(
            dsn=self._clickhouse.url,
            **self._clickhouse.login(),
            database=self._clickhouse.database,
            settings=self._clickhouse.session(),
            # Several queries run on one client at once.
            autogenerate_session_id=False,
            send_receive_timeout=self._settings.insert_timeout_s,
            connect_timeout=5,
            compress=False,
        )

    async def producer(self) -> AIOKafkaProducer:
        """For dead letters."""
        producer = dead_letter_producer("activity-consumer-dlq", self._kafka)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def admin(self) -> AIOKafkaAdminClient:
        """For the group's commits, with their metadata."""
        admin = AIOKafkaAdminClient(client_id="activity-consumer-admin", **self._kafka)
        try:
            await admin.start()
        except BaseException:
            await admin.close()
            raise
        return admin

    async def log(self) -> AIOKafkaClient:
        """For everything that is asked beside the group."""
        client = AIOKafkaClient(
            client_id="activity-consumer-log", request_timeout_ms=_LOG_TIMEOUT_MS, **self._kafka
        )
        try:
            await client.bootstrap()
        except BaseException:
            await client.close()
            raise
        return client


def security_options() -> dict[str, Any]:
    """How to prove who we are to Kafka, from the environment. Raises StopError for a certificate
    that cannot be used, ValidationError for settings that do not fit together."""
    settings = KafkaSecuritySettings()
    try:
        return settings.client_options()
    except ValueError as error:
        raise StopError(str(error)) from None
